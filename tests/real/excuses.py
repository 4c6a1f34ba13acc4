"""What of the dashboards may be without an answer on the simulated fleet, and why."""

from __future__ import annotations

from typing import NamedTuple


class Excuse(NamedTuple):
    """A query `uid: title: ref`, or a column `uid: title: name`; `*` stands for anything."""

    place: str
    reason: str


EXCUSES = (
    Excuse("*: annotation *", "marks are for what happens now and then"),
    Excuse("rollcall-fleet: Alerts*", "an alert may or may not fire within a minute"),
    Excuse("rollcall-fleet: Unknown workers*", "all workers may be back when it is asked"),
    Excuse("rollcall-fleet: Models nobody serves*", "the simulated mesh can mostly serve what is asked for"),
    Excuse("rollcall-topology: Where views disagree*", "the consoles of the simulated mesh mostly agree"),
    Excuse("rollcall-runner: Alerts about it*", "an alert may or may not fire within a minute"),
    Excuse("rollcall-runner: At odds*", "the worker that is looked at may well be consistent"),
    Excuse("rollcall-runner: Clock ahead*", "an exporter may know no clock but its store's"),
    Excuse("rollcall-runner: What it held: *", "the worker that is looked at may hold nothing just now"),
    Excuse("rollcall-runner: GPU*", "every second machine of the simulated fleet has no GPU"),
    Excuse("rollcall-hosts: *GPU*", "the machine that runs the tests may have no GPU, and it is switched off there"),
    Excuse("rollcall-hosts: Held back over time*", "the same goes for all panels about GPUs"),
    Excuse("rollcall-hosts: All power*", "the same goes for all panels about GPUs"),
    Excuse("rollcall-hosts: PCIe*", "the same goes for all panels about GPUs"),
    Excuse("rollcall-hosts: Hosts: [BLMNO]", "columns about GPUs, and about sensors, which a virtual machine has not"),
    Excuse("rollcall-hosts: Hottest*", "a virtual machine has no sensor"),
    Excuse("rollcall-hosts: Temperature*", "a virtual machine has no sensor"),
    Excuse("rollcall-hosts: Sensors*", "a virtual machine has no sensor"),
    Excuse("rollcall-node: $host", "no Rollcall is scraped by the host name of a simulated node"),
    *(
        Excuse(f"rollcall-node: {title}: *", "no Rollcall is scraped by the host name of a simulated node")
        for title in ("CPU", "Memory", "Disks", "Network", "GPU utilisation", "GPUs of its host*")
    ),
    Excuse("rollcall-node: Who it is: [DH]", "a node's word is mostly its state, and NVML knows nothing of it"),
    Excuse("rollcall-node: Models: [A-G]", "a node may have no model, or one that is not ready, and none is split"),
    Excuse("rollcall-self: Series that are left out: A", "a small fleet is within all limits"),
    Excuse("rollcall-self: Sources: [EF]", "the simulated fleet may be read without a failure, and is understood"),
    Excuse("rollcall-self: Sources that were down: A", "all consoles may answer for a minute"),
    Excuse("rollcall-self: What was not understood: A", "the simulated fleet says what a real one does"),
    Excuse("rollcall-wakeable: What sleeps, and what wakes: [C-F]", "nothing may wake, and no wake may have ended"),
    Excuse("rollcall-wakeable: Providers: [B-I]", "a provider may have nothing asleep, and nothing may wake"),
    Excuse(
        "rollcall-wakeable: Live against wakeable VRAM, per model: [CDH]", "nothing may load, be on standby or wake"
    ),
    Excuse("rollcall-wakeable: Models that waking would bring back: *", "the simulated mesh serves what it is asked"),
    Excuse("rollcall-wakeable: Elapsed against promised: A", "nothing may wake within a minute"),
    Excuse("rollcall-wakeable: How long wakes take: [AB]", "no wake may have ended within a minute"),
    Excuse("rollcall-wakeable: Wakes in this time range: D", "there is no share of no wakes"),
)
