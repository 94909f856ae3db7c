"""What codecarbon measured with, and when, which its own files do not say."""

import time
from dataclasses import dataclass

# Share of a phase above which the tracker's own overhead is noted.
MAX_OVERHEAD = 0.1


def disable_geolocation():
    """Keeps codecarbon from asking web services and cloud metadata for this machine's location.

    It needs the location for a carbon intensity, which nothing here uses. The location set here is
    codecarbon's own fallback.
    """
    from codecarbon.external import geography

    no_cloud = geography.CloudMetadata(provider=None, region=None)
    geography.CloudMetadata.from_utils = classmethod(lambda *_: no_cloud)
    fallback = geography.GeoMetadata(country_iso_code="CAN", country_name="Canada", region="quebec")
    geography.GeoMetadata.from_geo_js = classmethod(lambda *_: fallback)


def record_tracking(collector, record):
    """Makes the record keep when ai_energy_benchmarks measured, between its start and stop calls."""
    start, stop, began = collector.start, collector.stop, []

    def started():
        start()
        began.append(time.monotonic())

    def stopped():
        record.add_phase("prompts", began[0])
        ended = time.monotonic()
        result = stop()
        # The tracker does not measure the server's energy.
        if record.device != "server":
            tracker = getattr(collector, "tracker", None)
            tracked = [TrackedPhase.of("prompts", began[0], ended, tracker)]
            record.tracked = total_seconds(tracked)
            record.note(overhead_note(tracked))
        return result

    collector.start, collector.stop = started, stopped


@dataclass
class TrackedPhase:
    """One measured phase: seconds of work, and seconds of the tracker's own overhead around it."""

    name: str
    worked: float
    waited: float

    @classmethod
    def of(cls, name, began, ended, tracker):
        """The phase that `tracker` has just measured. All times are of the monotonic clock."""
        since = getattr(tracker, "_start_time", None) or began
        until = getattr(tracker, "_last_measured_time", None) or ended
        return cls(name, ended - began, max(0.0, began - since) + max(0.0, until - ended))


def total_seconds(phases):
    """The seconds of all these phases, for the record."""
    return {
        "worked_seconds": sum(phase.worked for phase in phases),
        "waited_seconds": sum(phase.waited for phase in phases),
    }


def overhead_note(phases):
    """A note about phases that are too short for the tracker's overhead, or None.

    Without a hardware counter codecarbon measures the CPU load for half a second at the start and at
    the end of a phase. The energy of that time counts.
    """
    short = [phase for phase in phases if phase.waited > MAX_OVERHEAD * phase.worked]
    if not short:
        return None
    told = ", ".join(f"{phase.waited:.2g} s at {phase.worked:.2g} s of `{phase.name}`" for phase in short)
    return f"too short to measure: the tracker's own waiting, which counts, was {told}; take more samples"


def sources(tracker):
    """The source of the energy of each kind of device that the tracker measured.

    Each is ``{"status": "measured" | "estimated", "source": TEXT}``. The modes are those of
    codecarbon 3.0.8.
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
            found["cpu"] = cpu_source(hardware, by)
        elif kind == "RAM":
            found["ram"] = {
                "status": "estimated",
                "source": f"a model of the memory's power by its size, by {by}",
            }
    return found


def cpu_source(hardware, by):
    """The source of the CPU's energy."""
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
