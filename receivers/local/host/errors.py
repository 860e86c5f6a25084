"""What stops the local host from starting."""


class HostError(Exception):
    """The app cannot be run. The message is for the person at the terminal: what is wrong, where, what to do."""


class UnusableConfiguration(HostError):
    """``host.json`` or ``local.settings.json`` does not hold what it must."""


class IndexingFailed(HostError):
    """The app's code could not be imported or indexed. The message ends with the app's own traceback."""


class UnusableRoute(HostError):
    """The Functions host would refuse this route, or the local host does not know its syntax."""


class UnusableSchedule(HostError):
    """A timer trigger's schedule is not NCRONTAB, or its time never comes."""


class AddressUnavailable(HostError):
    """The address or the port cannot be listened on."""
