"""What codecarbon really read its figures from, and when: its own files do not say."""

import time


def ask_nobody_where_we_are():
    """Keeps the tracker from asking services on the internet where this machine is.

    It would, at every start, for a carbon intensity that nothing here uses: energies do not depend
    on the place. The place that it falls back to by itself is told instead.
    """
    from codecarbon.external import geography

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
        return stop()

    collector.start, collector.stop = started, stopped


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
        how = f"processor load x {watts} W assumed"
    elif mode == "constant":
        how = f"a constant {watts * 0.5} W assumed" if watts else "a constant assumed"
    else:
        how = f"mode `{mode}`"
    return {"status": "estimated", "source": f"{how}, by {by}"}
