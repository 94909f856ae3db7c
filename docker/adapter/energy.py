"""What codecarbon really read its figures from, and when: its own files do not say."""

import time
from dataclasses import dataclass

# The part of a phase that the tracker's own waiting may be before that is noted.
SHARE = 0.1


def ask_nobody_where_we_are():
    """Keeps the tracker from asking services of the internet and of clouds where this machine is.

    It would, at every start, for a carbon intensity that nothing here uses: energies do not depend
    on the place. The place that it falls back to by itself is told instead.
    """
    from codecarbon.external import geography

    no_cloud = geography.CloudMetadata(provider=None, region=None)
    geography.CloudMetadata.from_utils = classmethod(lambda *_: no_cloud)
    nowhere = geography.GeoMetadata(country_iso_code="CAN", country_name="Canada", region="quebec")
    geography.GeoMetadata.from_geo_js = classmethod(lambda *_: nowhere)


def note_window(collector, record):
    """Has the record keep when ai_energy_benchmarks measured: between the two calls of its runner."""
    start, stop, began = collector.start, collector.stop, []

    def started():
        start()
        began.append(time.monotonic())

    def stopped():
        record.phase("prompts", began[0])
        ended = time.monotonic()
        result = stop()
        # A server's energy is not what is tracked here.
        if record.device != "server":
            tracker = getattr(collector, "tracker", None)
            tracked = [Tracked.of("prompts", began[0], ended, tracker)]
            record.tracked = seconds(tracked)
            record.note(waiting(tracked))
        return result

    collector.start, collector.stop = started, stopped


@dataclass
class Tracked:
    """One phase, and how long the tracker took by itself before and after it, in seconds."""

    name: str
    worked: float
    waited: float

    @classmethod
    def of(cls, name, began, ended, tracker):
        """The phase that `tracker` has just measured. Its times are of the same clock."""
        since = getattr(tracker, "_start_time", None) or began
        until = getattr(tracker, "_last_measured_time", None) or ended
        return cls(name, ended - began, max(0.0, began - since) + max(0.0, until - ended))


def seconds(phases):
    """How long the tracker measured over all of these phases, for the record."""
    return {
        "worked_seconds": sum(phase.worked for phase in phases),
        "waited_seconds": sum(phase.waited for phase in phases),
    }


def waiting(phases):
    """What is to be said of phases to whose energy the tracker's own waiting adds much.

    Without a counter codecarbon waits for half a second to see the processors' load, when a phase
    begins and when it ends, and the energy of that time counts.
    """
    long = [phase for phase in phases if phase.waited > SHARE * phase.worked]
    if not long:
        return None
    told = ", ".join(f"{phase.waited:.2g} s at {phase.worked:.2g} s of `{phase.name}`" for phase in long)
    return f"too short to measure: the tracker's own waiting, which counts, was {told}; take more samples"


def sources(tracker):
    """The source of each kind of device, from the tracker that measured.

    Each is ``{"status": "measured" | "estimated", "source": TEXT}``; a kind that was not tracked
    is missing. Names of modes are those of codecarbon 3.0.8.
    """
    import codecarbon

    by = f"codecarbon {codecarbon.__version__}"
    found = {}
    for hardware in getattr(tracker, "_hardware", []):
        kind = type(hardware).__name__
        if kind == "GPU":
            names = [device["name"] for device in hardware.devices.get_gpu_static_info()]
            found["gpu"] = {
                "status": "measured",
                "source": f"NVML energy counter of the whole GPU, read by {by}",
                "devices": [name.decode() if isinstance(name, bytes) else name for name in names],
            }
        elif kind == "CPU":
            found["cpu"] = _processor(hardware, by)
        elif kind == "RAM":
            found["ram"] = {
                "status": "estimated",
                "source": f"a model of the memory's power by its size, by {by}",
            }
    return found


def _processor(hardware, by):
    mode = hardware._mode
    if mode == "intel_rapl":
        return {"status": "measured", "source": f"RAPL counter of the whole machine, read by {by}"}
    watts = hardware._tdp
    if mode == "cpu_load":
        how = f"{watts} W x (0.1 + 0.9 x load³), with the load of the whole machine"
    elif mode == "constant":
        how = f"a constant {watts * 0.5} W assumed" if watts else "a constant assumed"
    else:
        how = f"mode `{mode}`"
    return {"status": "estimated", "source": f"{how}, by {by}"}
