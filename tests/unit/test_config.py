"""Configuration files that are right, and what they become."""

from pathlib import Path

import msgspec
import pytest

from exporter.config import (
    Address,
    Config,
    FamiliesConfig,
    GpuConfig,
    HostConfig,
    LimitsConfig,
    RegistryConfig,
    default_config,
    load,
    parse,
    parse_address,
)


def no_file(path: Path) -> str:
    raise AssertionError(f"nothing names {path}")


def read(text: str) -> Config:
    return parse(text, "rollcall.yaml", {}, no_file)


FULL = """
web: {listen_address: 0.0.0.0:9000}
state_dir: /srv/rollcall
meshes:
  - fleet: eu
    urls: [http://gamma-01:3131, "https://beta-box/mesh/", "http://[fd00::1]"]
    interval: 20s
    timeout: 7s
    stale_after: 1m30s
  - fleet: us
    urls:
      - http://delta
stores:
  - fleet: training
    url: http://trainer
    interval: 1s
    timeout: 250ms
    stale_after: 1s
    heartbeat_timeout: 2m
    forget_after: 1w
  - {fleet: eu, url: "http://trainer-2:80/agl"}
host: {enabled: false, procfs: /host/proc, rootfs: /host}
gpu: {enabled: true}
limits: {series: 1, objects: 2, assignments: 3}
families: {deny: ["rollcall_worker_gpu_.*", rollcall_host_.*]}
tombstone: 90m
"""


def test_everything_given() -> None:
    config = read(FULL)
    assert config.listen == Address("0.0.0.0", 9000)
    assert config.state_dir == "/srv/rollcall"
    eu, us = config.meshes
    assert [endpoint.url for endpoint in eu.endpoints] == [
        "http://gamma-01:3131",
        "https://beta-box:443/mesh",
        "http://[fd00::1]:3131",
    ]
    assert (eu.fleet, eu.interval, eu.timeout, eu.stale_after, eu.optional) == ("eu", 20.0, 7.0, 90.0, False)
    assert (us.fleet, us.endpoints[0].url) == ("us", "http://delta:3131")
    training, other = config.stores
    assert training.endpoint.url == "http://trainer:4747"
    assert (training.interval, training.timeout, training.stale_after) == (1.0, 0.25, 1.0)
    assert (training.heartbeat_timeout, training.forget_after, training.optional) == (120.0, 604800.0, False)
    assert (other.fleet, other.endpoint.url) == ("eu", "http://trainer-2:80/agl")
    assert config.host == HostConfig(enabled=False, procfs="/host/proc", rootfs="/host")
    assert config.gpu == GpuConfig(enabled=True)
    assert config.limits == LimitsConfig(series=1, objects=2, assignments=3)
    assert config.families == FamiliesConfig(deny=("rollcall_worker_gpu_.*", "rollcall_host_.*"))
    assert config.tombstone == 5400.0


@pytest.mark.parametrize(
    ("given", "interval", "timeout", "stale_after"),
    [
        pytest.param("", 5.0, 3.0, 15.0, id="nothing-said"),
        pytest.param("interval: 1s", 1.0, 1.0, 3.0, id="timeout-within-a-short-interval"),
        pytest.param("interval: 1m", 60.0, 3.0, 180.0, id="timeout-of-a-long-interval"),
        pytest.param("timeout: 9s", 5.0, 9.0, 15.0, id="timeout-beyond-the-interval"),
        pytest.param("interval: 100ms", 0.1, 0.1, pytest.approx(0.3), id="shortest-interval"),
        pytest.param("stale_after: 5s", 5.0, 3.0, 5.0, id="stale-after-one-interval"),
    ],
)
def test_times_of_a_mesh(given: str, interval: float, timeout: float, stale_after: float) -> None:
    (mesh,) = read(f"meshes:\n- fleet: eu\n  urls: [http://a]\n  {given}\n").meshes
    assert (mesh.interval, mesh.timeout, mesh.stale_after) == (interval, timeout, stale_after)


@pytest.mark.parametrize(
    ("given", "interval", "timeout", "stale_after"),
    [
        pytest.param("", 10.0, 5.0, 30.0, id="nothing-said"),
        pytest.param("interval: 2s", 2.0, 2.0, 6.0, id="timeout-within-a-short-interval"),
    ],
)
def test_times_of_a_store(given: str, interval: float, timeout: float, stale_after: float) -> None:
    (store,) = read(f"stores:\n- fleet: eu\n  url: http://a\n  {given}\n").stores
    assert (store.interval, store.timeout, store.stale_after) == (interval, timeout, stale_after)
    assert (store.heartbeat_timeout, store.forget_after) == (45.0, 86400.0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "---\n",
        "null\n",
        "\ufeff",
        "{}",
        "meshes: []\nstores: []\n",
        "web: {}\nhost: {}\ngpu: {}\nlimits: {}",
    ],
    ids=[
        "empty",
        "comment",
        "empty-document",
        "null",
        "byte-order-mark",
        "empty-mapping",
        "empty-lists",
        "empty-sections",
    ],
)
def test_a_file_that_says_nothing_has_the_defaults_and_no_sources(text: str) -> None:
    config = read(text)
    assert config == Config()
    assert (config.listen, config.state_dir, config.tombstone) == (Address("127.0.0.1", 10470), None, 3600.0)
    assert (config.meshes, config.stores) == ((), ())
    assert config.host == HostConfig(enabled=True, procfs="/proc", rootfs="/")
    assert config.gpu.enabled is None
    assert config.limits == LimitsConfig(series=5_000_000, objects=200_000, assignments=1000)
    assert config.families == FamiliesConfig(allow=(), deny=())


def test_no_file_at_all_looks_for_upstreams_on_loopback() -> None:
    config = default_config()
    (mesh,), (store,) = config.meshes, config.stores
    assert (mesh.fleet, mesh.endpoints[0].url, mesh.optional) == ("local", "http://127.0.0.1:3131", True)
    assert (store.fleet, store.endpoint.url, store.optional) == ("local", "http://127.0.0.1:4747", True)
    assert (mesh.interval, mesh.timeout, mesh.stale_after) == (5.0, 3.0, 15.0)
    assert (store.interval, store.timeout, store.stale_after) == (10.0, 5.0, 30.0)
    assert config.registry == RegistryConfig(fleet="registry")
    assert msgspec.structs.replace(config, meshes=(), stores=(), registry=RegistryConfig()) == Config()


@pytest.mark.parametrize("name", ["no", "on", "22:22", "0o17", "0x1F", "1_000", "2026-08-01", "NaN", "é", "x" * 128])
def test_what_yaml_1_1_would_change_is_text(name: str) -> None:
    (mesh,) = read(f"meshes: [{{fleet: {name}, urls: [http://a]}}]").meshes
    assert mesh.fleet == name


@pytest.mark.parametrize("name", ["true", "5", "null", "~", "1e3"])
def test_quotes_make_text_of_anything(name: str) -> None:
    (mesh,) = read(f"meshes: [{{fleet: '{name}', urls: [http://a]}}]").meshes
    assert mesh.fleet == name


@pytest.mark.parametrize(
    ("text", "enabled"), [("auto", None), ("true", True), ("True", True), ("FALSE", False), ("'auto'", None)]
)
def test_gpu(text: str, enabled: bool | None) -> None:
    assert read(f"gpu: {{enabled: {text}}}").gpu.enabled is enabled


def test_only_families() -> None:
    assert read("families: {allow: ['rollcall_node_.*']}").families == FamiliesConfig(allow=("rollcall_node_.*",))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:10470", Address("127.0.0.1", 10470)),
        ("[::1]:10470", Address("::1", 10470)),
        (":10470", Address("", 10470)),
        ("localhost:0", Address("localhost", 0)),
        ("gpu-01.example.org:65535", Address("gpu-01.example.org", 65535)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert read(f"web: {{listen_address: '{text}'}}").listen == address


@pytest.mark.parametrize("text", ["", "10470", "host", "host:", "host:x", "host:65536", "host:-1", "::1:80", "[::1]"])
def test_no_addresses(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_address(text)
    assert str(caught.value) == f"expected HOST:PORT, got {text!r}"


@pytest.mark.parametrize("text", ["[::1:80", "[]:80", "[x]:80", "1.2.3:80", "1.2.3.999:80", "a b:80", "a:80\n", "a:٣"])
def test_no_hosts(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_address(text)
    assert str(caught.value) == f"expected HOST:PORT, got {text!r}"


def test_load_reads_the_file_and_the_files_it_names_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("opensesame\n")
    file = tmp_path / "rollcall.yaml"
    file.write_text("stores:\r\n- fleet: a\r\n  url: http://a\r\n  key_file: key\r\n", newline="")
    (store,) = load(file, {}).stores
    assert store.endpoint.key is not None
    assert store.endpoint.key.reveal() == "opensesame"
