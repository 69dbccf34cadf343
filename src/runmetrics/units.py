"""The words of Datadog's unit catalogue (docs.datadoghq.com/metrics/units): what a unit may be.

Datadog takes any other word without complaint and shows the metric without a unit.
"""

_SCALES = """
    bit byte kilobyte kibibyte megabyte mebibyte gigabyte gibibyte terabyte tebibyte petabyte
    pebibyte exabyte exbibyte
    nanosecond microsecond millisecond second minute hour day week
    fraction percent percent_nano apdex
    hertz kilohertz megahertz gigahertz
    watt nanowatt microwatt milliwatt deciwatt kilowatt megawatt gigawatt terawatt
    ampere milliampere volt millivolt
    dollar cent microdollar euro pound penny yen
"""
_THINGS = """
    core nanocore microcore millicore kilocore megacore gigacore teracore petacore exacore cpu
    connection request response packet segment message payload datagram email hop route timeout
    process thread host node service instance container device worker task job execution run
    invocation throttle heap volume resource user session span view
    file inode sector block buffer page offset split
    table index lock transaction query row column key command record object document cursor shard
    flush merge refresh fetch scan get set hit miss eviction commit entry
    read write operation update occurrence event time unit item assertion fault error exception
    success attempt wait ticket stage monitor location check question sample method build
    prediction token
"""
SCALES = frozenset(_SCALES.split()) | {
    "degree celsius",
    "degree fahrenheit",
    "decidegree celsius",
}
"""Units that say what a number is measured in: under another one it is a wrong number."""

UNITS = SCALES | frozenset(_THINGS.split()) | {"garbage collection"}
