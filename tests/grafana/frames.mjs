// Says which fields the panels of dashboards have, by Grafana's own code: its transformations, matchers and links.
//
//   node frames.mjs DIRECTORY < panels.json > frames.json
//
// DIRECTORY has node_modules. Read is a list of {place, panel, answers}: `panel` as the dashboard has it, and by refId
// the `result` that Prometheus' API gave for each of its queries. Written is a list of {place, frames, missing}, in the
// same order: the frames after all transformations, and what the panel names and does not have.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

globalThis.console = new console.Console(process.stderr); // packages print, and standard output is for JSON
const require = createRequire(`${resolve(process.argv[2])}/`);
const { JSDOM } = require('jsdom');
const { window } = new JSDOM('');
Object.assign(globalThis, { window, document: window.document });
const grafana = require('@grafana/data');
const { TableCellDisplayMode } = require('@grafana/schema');
const { lastValueFrom } = require('rxjs');

// Old names of a transformation have its id.
const transformers = new Map(Object.values(grafana.standardTransformers).map((each) => [each.id, each]));
transformers.forEach((each) => grafana.standardTransformersRegistry.register({ ...each, transformation: each }));
const UNITS = new Set(grafana.getValueFormats().flatMap((group) => group.submenu.map((unit) => unit.value)));

/** The frame of one series, as Grafana's backend makes it (pkg/promlib/querydata/response.go of Grafana 12.4). */
function frameOfSeries(target, series) {
  const points = series.values ?? [series.value];
  const legend = (target.legendFormat ?? '').replace(/{{\s*(.+?)\s*}}/g, (_, label) => series.metric[label] ?? '');
  const number = {
    name: series.metric.__name__ ?? grafana.TIME_SERIES_VALUE_FIELD_NAME,
    type: grafana.FieldType.number,
    labels: series.metric,
    config: legend ? { displayNameFromDS: legend } : {},
    values: points.map((point) => Number(point[1].replace('Inf', 'Infinity'))),
  };
  return grafana.createDataFrame({ refId: target.refId, fields: [time(points.map((point) => point[0])), number] });
}

function time(instants) {
  const values = instants.map((instant) => instant * 1000);
  return { name: grafana.TIME_SERIES_TIME_FIELD_NAME, type: grafana.FieldType.time, config: {}, values };
}

/** One frame per query, whose labels are fields (transformDFToTable of @grafana/prometheus 12.4, which is no package
 * that can be had without all of Grafana's user interface). */
function tables(targets, answers) {
  const empty = grafana.createDataFrame({ refId: targets[0].refId, fields: [] });
  if (targets.length === 1 && answers[targets[0].refId].length === 0) {
    return [empty];
  }
  return targets.map(({ refId }) => {
    const series = answers[refId];
    const labels = [...new Set(series.flatMap(({ metric }) => Object.keys(metric).sort()))];
    const texts = labels.map((name) => ({
      name,
      type: grafana.FieldType.string,
      config: { filterable: true },
      values: series.map(({ metric }) => metric[name] ?? ''),
    }));
    const number = {
      name: targets.length > 1 ? `Value #${refId}` : 'Value',
      type: grafana.FieldType.number,
      config: {},
      values: series.map(({ value }) => Number(value[1].replace('Inf', 'Infinity'))),
    };
    return grafana.createDataFrame({ refId, fields: [time(series.map(({ value }) => value[0])), ...texts, number] });
  });
}

function answered({ targets = [] }, answers) {
  const asTable = targets.filter((target) => target.format === 'table');
  const others = targets.filter((target) => target.format !== 'table');
  const frames = others.flatMap((target) =>
    answers[target.refId].length
      ? answers[target.refId].map((series) => frameOfSeries(target, series))
      : [grafana.createDataFrame({ refId: target.refId, fields: [] })]
  );
  return asTable.length ? [...frames, ...tables(asTable, answers)] : frames;
}

/** The fields that a transformation works on. */
function needed({ id, options }) {
  const { renameByName, indexByName, excludeByName, fields, sort, byField, binary, unary } = options;
  const sides = [binary?.left, binary?.right].filter((side) => side?.matcher).map((side) => side.matcher.options);
  const names = {
    organize: [renameByName, indexByName, excludeByName].flatMap((named) => Object.keys(named ?? {})),
    groupBy: Object.keys(fields ?? {}),
    sortBy: (sort ?? []).map((one) => one.field),
    joinByField: [byField],
    calculateField: unary ? [unary.fieldName] : sides,
  };
  return names[id] ?? [];
}

async function transformed(panel, frames, missing) {
  for (const step of panel.transformations) {
    const taken = step.filter ? frames.filter(grafana.getFrameMatchers(step.filter)) : frames;
    const known = new Set(taken.flatMap((frame) => frame.fields.map((field) => field.name)));
    missing.push(...needed(step).filter((name) => !known.has(name)).map((name) => `${step.id}: ${name}`));
    frames = await lastValueFrom(grafana.transformDataFrame([step], frames));
  }
  return frames;
}

/** The fields of `frames` that an override is for. */
function matched({ id, options }, frames) {
  const matches = grafana.fieldMatchers.get(id).get(options);
  return frames.flatMap((frame) => frame.fields.filter((field) => matches(field, frame, frames)));
}

/** What the properties of fields name and Grafana does not know: units, kinds of cells. */
function unknown({ unit, cellOptions }) {
  const kinds = Object.values(TableCellDisplayMode);
  return [
    ...(unit && !UNITS.has(unit) && !unit.startsWith('time:') ? [`unit ${unit}`] : []),
    ...(cellOptions && !kinds.includes(cellOptions.type) ? [`cell ${cellOptions.type}`] : []),
  ];
}

/** The parts of links that no frame can fill in. */
function unfilled(links, frames) {
  const rows = frames.map((frame) => grafana.getFieldDisplayValuesProxy({ frame, rowIndex: 0 }));
  const labels = new Set(frames.flatMap((frame) => frame.fields.flatMap((field) => Object.keys(field.labels ?? {}))));
  const has = {
    'data.fields': (name) => rows.some((row) => row[name] !== undefined),
    'field.labels': (name) => labels.has(name),
  };
  const named = links.flatMap(({ url }) => [...url.matchAll(/\$\{__(data\.fields|field\.labels)\.([^:}]+)/g)]);
  return named.filter(([, kind, name]) => !has[kind](name)).map(([, kind, name]) => `link: ${kind}.${name}`);
}

async function shown({ place, panel, answers }) {
  const missing = [];
  const frames = await transformed(panel, answered(panel, answers), missing);
  const { defaults, overrides } = panel.fieldConfig;
  missing.push(...unknown({ ...defaults, ...defaults.custom }), ...unfilled(defaults.links ?? [], frames));
  const looks = new Map();
  for (const { matcher, properties } of overrides) {
    const look = Object.fromEntries(properties.map(({ id, value }) => [id.replace('custom.', ''), value]));
    const fields = matched(matcher, frames);
    if (fields.length === 0) {
      missing.push(`override: ${matcher.options}`);
    }
    fields.forEach((field) => looks.set(field, look));
    missing.push(...unknown(look), ...unfilled(look.links ?? [], frames));
  }
  return { place, missing, frames: frames.map((frame) => told(frame, frames, looks)) };
}

function told(frame, frames, looks) {
  const fields = frame.fields.map((field) => ({
    name: field.name,
    title: grafana.getFieldDisplayName(field, frame, frames),
    type: field.type,
    values: field.values.filter((value) => value !== null && value !== undefined && value !== '').length,
    overridden: looks.has(field),
    hidden: looks.get(field)?.['hideFrom.viz'] === true,
  }));
  return { ref: frame.refId ?? '', length: frame.length, fields };
}

const asked = JSON.parse(readFileSync(0, 'utf8'));
process.stdout.write(JSON.stringify(await Promise.all(asked.map(shown))));
