// Drives one Chromium for the tests of the pages, and answers in lines of JSON.
//
//   node drive.mjs DIRECTORY CHROMIUM
//
// DIRECTORY has node_modules. A line read is {do, ...}, as in `commands`; a line written is {said} or {error}. A page
// that was opened is watched: what it logs as a warning or an error, what it throws, what its security policy stops,
// and all that it asks of anybody but the server that it came from are its `problems`.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { resolve } from 'node:path';

const [directory, executablePath] = process.argv.slice(2);
const require = createRequire(`${resolve(directory)}/`);
const { chromium } = require('playwright-core');
// The debugger evaluates it, which a page's own policy does not stop.
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8') + '; true';
const PATIENCE = 60000; // milliseconds

const browser = await chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--disable-dev-shm-usage'],
  timeout: 2 * PATIENCE,
});
let context = null;
let page = null;
let problems = [];

async function open({ url, script = true }) {
  await context?.close();
  context = await browser.newContext({ viewport: { width: 1280, height: 900 }, javaScriptEnabled: script });
  context.setDefaultTimeout(PATIENCE);
  page = await context.newPage();
  problems = [];
  page.on('console', (said) => ['error', 'warning'].includes(said.type()) && problems.push(`console: ${said.text()}`));
  page.on('pageerror', (error) => problems.push(`thrown: ${error.message}`));
  const own = new URL(url).host;
  page.on('request', (request) => {
    const asked = new URL(request.url());
    if (asked.protocol !== 'data:' && asked.host !== own) {
      problems.push(`request: ${request.url()}`);
    }
  });
  return go({ url });
}

async function go({ url }) {
  const started = performance.now();
  const answer = await page.goto(url, { waitUntil: 'load' });
  return { status: answer.status(), milliseconds: performance.now() - started };
}

async function axe() {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate('axe.run(document, { resultTypes: ["violations"] })');
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`.slice(0, 500));
}

// playwright's own waiting evaluates text in the page, which its policy stops.
async function until({ script }) {
  for (const end = performance.now() + PATIENCE; performance.now() < end; ) {
    const found = await page.evaluate(script);
    if (found) {
      return found;
    }
    await new Promise((wake) => setTimeout(wake, 50));
  }
  throw new Error(`not within ${PATIENCE} ms; the page shows ${await page.innerText('main')}`);
}

const commands = {
  open,
  go,
  axe,
  problems: () => problems,
  evaluate: ({ script }) => page.evaluate(script),
  until,
  dress: ({ scheme }) => page.emulateMedia({ colorScheme: scheme }),
  widen: ({ width }) => page.setViewportSize({ width, height: 900 }),
  fill: ({ selector, text }) => page.fill(selector, text),
  press: ({ keys }) => keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve()),
  // What is clicked or chosen leads to another page.
  click: ({ selector }) => Promise.all([page.waitForNavigation(), page.click(selector)]).then(() => page.url()),
  choose: ({ selector, option }) =>
    Promise.all([page.waitForNavigation(), page.selectOption(selector, option)]).then(() => page.url()),
  picture: ({ path }) => page.screenshot({ path }).then(() => path),
};

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  try {
    process.stdout.write(`${JSON.stringify({ said: (await commands[asked.do](asked)) ?? null })}\n`);
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ error: String(error.message) })}\n`);
  }
}
await browser.close();
