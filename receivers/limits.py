"""Every limit, with its unit and its reason. Durations are seconds, sizes are bytes."""

MIB = 1024 * 1024

# One delivery
BODY = 2 * MIB  # Kargo's limit, for every receiver
ANSWER_BUDGET = 2.0  # ACR gives up after 5 s, Harbor after 3 s; a setting can change it
RETRY_AFTER = 10  # told to a sender that got 503

# Refreshing
PATCHES_IN_FLIGHT = 16  # more gain nothing but delay, measured against a real API server
PATCH_TIMEOUT = 5.0  # one attempt; a patch of one annotation takes milliseconds
CALL_SLOW = 1.0  # a patch or a read of a Secret that takes longer makes us ask whether the cluster is there
REFRESH_DEADLINE = 600.0  # how long a refresh that outlived its answer is tried, beside the time the cluster is away
CLOSE_GRACE = 5.0  # patches under way at shutdown
BACKOFF_FIRST = 0.1  # between two attempts, doubled each time, with full jitter
BACKOFF_LAST = 10.0
RETRY_AFTER_MAXIMUM = 30.0  # an API server that asks for more is asked again all the same

# Calls to the cluster
CONNECT_TIMEOUT = 3.0
ERROR_BODY = 4096  # as much of an error's body as is read
PROBE_TIMEOUT = 1.0
PROBE_INTERVAL = 2.0  # at most, while the cluster is away

# The mirror
PAGE = 500  # objects in one answer of a list, as client-go asks for
PAGE_BYTES = 4 * MIB  # a page larger than this halves the next one: parsing holds the event loop
LIST_TIMEOUT = 30.0  # one page
WATCH_TIMEOUT = 290  # asked of the API server; shorter than the idle limits of the usual load balancers
WATCH_SHORTEST = 1.0  # a watch that ends sooner, without an event, counts as failed
WATCH_SILENCE = 90.0  # bookmarks come about every minute; a silence longer than this is a dead connection
WATCH_LINE = 16 * MIB  # one watch event; etcd stores no object above 1.5 MiB, but JSON may be larger
PROJECT_FRESH = 5.0  # a project listed by itself within this time is not listed again
STALE_WAIT = 0.5  # a delivery waits this long for a stale mirror to be read anew, then goes by what is known
STALE_AFTER = 120.0  # a watch broken for longer than this is not trusted

# Credentials
CREDENTIAL_TIMEOUT = 30.0  # one fetch; azure-identity alone would wait minutes for an endpoint that hangs
CREDENTIAL_RETRY = 10.0  # between renewals that fail while the present credential is still good
TOKEN_FILE_FRESH = 60.0  # the kubelet writes a new ServiceAccount token minutes before the old one expires
KUBECONFIG_FRESH = 600.0  # exec plugins are asked again at half this age; they cache tokens themselves

# Receivers
SECRET_FRESH = 10.0  # a Secret read within this time is not read again: a rotation counts after at most this long
SECRET_READS_IN_FLIGHT = 8
SECRET_TIMEOUT = 5.0  # one read
SWEEP_INTERVAL = 30.0  # how often an unknown URL may cause every receiver's Secret to be read
SWEEP_RETRY = 1.0  # the same, after Secrets could not be read

# What a sender claims
NAME = 4096  # characters of a repository URL or a tag; registries allow 255 and 128
QUALIFIERS = 1_000  # of one push; with more, every subscriber is refreshed instead of matching each of them
BATCH = 5_000  # events; Event Grid's own maximum

# What people see
NAME_SHOWN = 512  # characters of a registry, repository, tag or digest
FREE_TEXT = 200  # characters of a sender's free text that are ever shown or stored

# The retry queue
RETRY_DELAYS = (5.0, 30.0, 120.0, 600.0, 3600.0)  # before each further try; the last one repeats
RETRY_JITTER = 0.2  # share by which a delay varies, so that what failed together does not return together
RETRY_AGE = 3 * 24 * 3600.0  # after this a delivery is given up to the poison queue
CLOCK_SKEW = 5.0  # between two machines, and more than any that keep time
RETRY_WAIT = 10.0  # how long one try waits for its refreshes
QUEUE_RESERVE = 0.5  # of the answer budget, kept for putting a delivery into the queue
QUEUE_GRACE = 0.5  # beyond the answer budget, for a slow queue: a late answer is better than a lost delivery
FALLBACK_RESERVE = 1.0  # of the answer budget, kept for finding a receiver without the cluster
QUEUE_UNREAD = 300.0  # a message that is due for longer is read by nobody; the trigger looks every few seconds
QUEUE_LOOK_FRESH = 10.0  # a look within this time is not repeated: anybody may ask /readyz
QUEUE_LOOK_TIMEOUT = 1.0  # as long /readyz waits for a look
QUEUE_MESSAGE = 48 * 1024 - 512  # Azure allows 64 KiB, and base64 takes a third of it
ATTEMPTS_SHOWN = 10  # the latest ones

# Azure Storage
STORAGE_TIMEOUT = 5.0  # one call
STORAGE_WARM_UP = 0.3  # after start: first answers are out by then, or wait for a cluster that may be away

# Known receivers
KNOWN_RENEWED = 24 * 3600.0  # how often it is noted that a receiver is in use
KNOWN_DAYS = 30  # after which a receiver that was not used is not known any more

# The journal
JOURNAL_INTERVAL = 1.0  # rows are written this often, many at once
JOURNAL_BATCH = 100  # rows in one transaction: Azure's limit
JOURNAL_WAITING = 10_000  # rows kept while the journal is away; then the oldest are dropped, and counted
JOURNAL_EVENTS = 30 * 1024  # characters of a delivery's events that are kept for redelivery; a property holds 32 Ki
JOURNAL_ROW = 250_000  # characters of a row as JSON; a table's entity holds 1 MiB, and so does one write of aiohttp
JOURNAL_PAGE = 100  # rows read at once
JOURNAL_OPEN = 10_000  # rows that this process still expects news of
DUPLICATE_WINDOW = 10.0  # the same push again within this time tells nothing new
DUPLICATES_REMEMBERED = 10_000

# Telemetry
TELEMETRY_WAITING = 1_000  # what is noted before the libraries are imported; then the oldest are dropped
TELEMETRY_TIMEOUT = 3.0  # one export, with its repetitions
TELEMETRY_CLOSE = 3.0  # for what was not exported yet, when this process ends
QUEUE_INTERVAL = 60.0  # between two looks at the queues; each is two to four calls of Azure Storage
