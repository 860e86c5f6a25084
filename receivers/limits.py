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
STRUGGLING = 3  # objects of a namespace that cannot be patched; then none of its others is waited for long either
COVERED = 10_000  # objects whose last refresh is remembered; one that is forgotten costs a later try one patch
COVERED_AGE = 3600.0  # what waited in the retry queue is tried within minutes once the cluster is back
CLOSE_GRACE = 5.0  # patches under way at shutdown
BACKOFF_FIRST = 0.1  # between two attempts, doubled each time, with full jitter
BACKOFF_LAST = 10.0
RETRY_AFTER_MAXIMUM = 30.0  # an API server that asks for more is asked again all the same

# Calls to the cluster
CONNECT_TIMEOUT = 3.0
NEXT_ADDRESS = 0.25  # until a server's next address is tried beside the one before; RFC 8305 recommends it
ADDRESSES_KNOWN = 10.0  # of a name, so that connections made at once ask for them once
CONNECTION_KEPT = 60.0  # without use; shorter than what servers and load balancers allow
ANSWER_HEAD = 64 * 1024  # status line and headers
UNREAD = 256 * 1024  # of an answer that comes faster than it is taken; then its sender waits
ERROR_BODY = 4096  # as much of an error's body as is read
PROBE_TIMEOUT = 1.0
PROBE_INTERVAL = 2.0  # at most, while the cluster is away
PROBE_FRESH = 10.0  # a probe within this time is not repeated for one who only looks: anybody may ask /readyz
PROBE_WAIT = 1.5  # as long one who looks waits for a probe

# The mirror
PAGE = 500  # objects in one answer of a list, as client-go asks for
PAGE_BYTES = (
    2 * MIB
)  # one page, else it is asked for in parts: the largest object fits, and decoding takes 15 ms at most
PAGE_ENDS = MIB  # what is kept of each end of an object that is too large or too odd: the metadata stands there
ANSWER = 4 * MIB  # any other answer of the API server; the largest object of Kubernetes has 1.5 MiB
LIST_TIMEOUT = 30.0  # one page
WATCH_TIMEOUT = 290  # asked of the API server; shorter than the idle limits of the usual load balancers
WATCH_SHORTEST = 1.0  # a watch that ends sooner, without an event, counts as failed
WATCH_SILENCE = 90.0  # bookmarks come about every minute; a silence longer than this is a dead connection
WATCH_LINE = 2 * MIB  # one watch event; etcd stores no object above 1.5 MiB. What is longer is cut
RELIST_LAST = 60.0  # between two lists that a watch which cannot be followed makes necessary
RELIST_SPREAD = 10.0  # over which instances list again whose watches have expired at once; less where a list is quick
PROJECT_FRESH = 5.0  # a project listed by itself within this time is not listed again
PROJECT_LISTS_IN_FLIGHT = 8  # projects listed by themselves at a time: each holds two pages at most
STALE_WAIT = 0.5  # a delivery waits this long for a stale mirror to be read anew, then goes by what is known
STALE_AFTER = 120.0  # a watch broken for longer than this is not trusted

# One object of the cluster, which a tenant fills as they like
SUBSCRIPTIONS = 250  # of one Warehouse that count; reading so many holds the event loop for 10 ms
SUBSCRIPTIONS_BYTES = 128 * 1024  # of one Warehouse, as JSON
SUBSCRIPTION_FAULTS = 20  # of one Warehouse that are kept to be shown
PROJECT_SUBSCRIPTIONS = 4 * MIB  # of one project's Warehouses together, as JSON and with what each needs at least
ALL_SUBSCRIPTIONS = 32 * MIB  # of all projects; below it one project may have more than its share
EXAMPLES = 1_000  # Warehouses among which an example of a push is looked for
PROMOTION_STEPS = 250  # of one Promotion that count
PROMOTION_PULL_REQUESTS = 20  # of one Promotion; usual ones wait for one, each up to NAME characters long
PROMOTION_STATES_REMEMBERED = 64  # names of steps, and how to read their state: 0.1 ms each to make anew
PROJECT_PROMOTIONS = 500  # of one project that wait for pull requests, each once per Stage as a rule
DISCOVERED_BYTES = 64 * 1024  # of the lists in one Warehouse's status that one look reads at once; usual ones have 10
DISCOVERED = 2_000  # elements of longer ones that it reads one by one
DISCOVERED_OF_ONE = 250  # of one list; Kargo lists 100 at most
ALIKE_PATIENCE = 0.5  # for names like that of a repository which nobody subscribes to; 10,000 similar ones take 1.5 s
ALIKE_NAME = 200  # characters of each: comparing two takes 1 ms then at most
COVERAGE_SELECTIONS = 200  # of one project's receivers together that a look at who tells of what asks
RECEIVERS = 500  # of one ProjectConfig or ClusterConfig that count
RECEIVER_CONFIGURATION = 16 * 1024  # of one receiver, as JSON; of a larger one only its Secret's name counts
SELECTED = 16 * 1024  # of what one action selects by, as JSON: it has to fit a message of the queue
LABELS = 1024  # of one Warehouse, as JSON; with more, every selection by labels takes it
RECEIVER_OPTIONS = 8  # of one receiver, beside its Secret; Kargo's own have one at most
OBJECT_NAME = 253  # characters of a name, Kubernetes' own limit
OBJECT_VERSION = 64  # characters of a uid or a resourceVersion; those of Kubernetes have 36 and 20
REFRESH_HANDLED = 128  # characters of the refresh that Kargo says it handled; ours have 34
PUBLISHED_PATH = 1024  # characters of a receiver's path that Kargo published; a longer one counts as none
UNREADABLE_NAMED = 1_000  # objects of a kind that are named as unreadable; more are only counted

# Credentials
CREDENTIAL_TIMEOUT = 30.0  # one fetch; azure-identity alone would wait minutes for an endpoint that hangs
CREDENTIAL_RETRY = 10.0  # between renewals that fail while the present credential is still good
TOKEN_FILE_FRESH = 60.0  # the kubelet writes a new ServiceAccount token minutes before the old one expires
KUBECONFIG_FRESH = 600.0  # exec plugins are asked again at half this age; they cache tokens themselves

# Receivers
SECRET_SHORTEST = 16  # characters, of one in the settings; a shorter one may be guessed, and its URL computed
SECRET_FRESH = 10.0  # a Secret read within this time is not read again: a rotation counts after at most this long
SECRET_WAIT = 0.8  # for a slow read where the Secret is known from before; then that vouches, and is checked later
SECRET_READS_IN_FLIGHT = 32  # for URLs that a receiver is known for
SECRET_READS_BEHIND = 4  # beside them, for URLs that none is known for
SECRET_TIMEOUT = 5.0  # one read
SECRETS_KEPT = 10_000
SECRETS_BYTES = 16 * MIB  # of their values; the usual one has 64
SECRET_VALUE = 1024  # a longer one counts, but is not kept: it would take the room of others
SECRET_KEPT = 3 * 24 * 3600.0  # as long as a delivery waits that an old Secret vouched for
CANDIDATES = 8  # receivers of which one path is published; Kargo publishes each for one

# Unknown URLs. Anybody can post them, and tenants decide how many Secrets there are to look into.
UNKNOWN_READS = 16  # Secrets that may be read for them at once; a cluster with fewer receivers is looked through
UNKNOWN_READS_PER_SECOND = 0.2  # on average
UNKNOWN_AGAIN = 30.0  # before a Secret is read for them a second time
UNKNOWN_RETRY = 1.0  # the same, after it could not be read
UNKNOWN_PROJECTS = 16  # looked at in search of one whose Secrets have not been read lately

# Keys that identity tokens are signed with, where their issuer publishes them
KEYS_TIMEOUT = 5.0  # one fetch; it takes a tenth of a second as a rule
KEYS_SHORTEST = 300.0  # they are not fetched anew sooner, unless a token names a key that is not among them
KEYS_LONGEST = 24 * 3600.0  # and count no longer, whatever their issuer says, and whether or not others can be had
KEYS_RESERVE = 1.0  # of the answer budget, kept for all that follows, by keys from before if need be
KEYS_RETRY = 10.0  # between two fetches, where the first one failed
KEYS_UNKNOWN = 60.0  # between two fetches because of keys that tokens name
KEYS_BYTES = 64 * 1024  # of all that are published at one place; Google's three have 2,000

# What a sender claims
IDENTITY_TOKEN = 8 * 1024  # characters of one; Google's have about 1,000
IDENTITY_TOKEN_LEEWAY = 60  # seconds between two clocks
SIGNATURE_TOLERANCE = 300  # seconds between two clocks, and on the way
SIGNATURES = 10  # in one header; while a secret is exchanged there are two
NAME = 4096  # characters of a repository URL or a tag; registries allow 255 and 128
QUALIFIERS = 1_000  # of one push; with more, every subscriber is refreshed instead of matching each of them
CHANGED_FILES = 20_000  # of one push of Git; with more, no subscription is filtered by them
BATCH = 5_000  # events; Event Grid's own maximum
VALUES = 100_000  # of one body, counted by , : [ and {: some 20 ms to decode. Event Grid's megabyte has some 60,000
LARGE_BODY = 32 * 1024  # read in a thread, one at a time, so that the event loop gets its turns
MANY_OBJECTS = 1_000  # in one body; with more it is read there too: each may take 5 us
REPOSITORY_URLS = 20  # of what was pushed; senders tell two, or four

# What subscriptions want. Work is counted in units, each about a microsecond of one core at worst (kargo/effort.py)
REPOSITORY_URL = 1_000  # characters; a registry, a repository, a tag and a digest together have at most 720
IGNORED_TAGS = 1_000  # in ignoreTags of one subscription; with more, every push refreshes
PATHS = 1_000  # in includePaths or excludePaths of one subscription; with more, every push refreshes
GLOB_ALTERNATIVES = 64  # that the braces of one glob stand for; with more, every push refreshes
EXPRESSION = 1_000  # characters of one regular expression; one of 150 alternatives still fits
UNICODE_CLASSES = 5  # of one expression, as \pL: RE2 takes 0.2 ms to read each of them
EXPRESSION_MEMORY = 32 * 1024  # of one expression's program: some 650 to 2,500 instructions
LARGE_EXPRESSION = 1_000  # instructions that one counts for that has no room there: finding out takes up to 5 ms
AUTOMATON = 2_000  # instructions of one list of expressions: some 150 usual ones
SMALL_AUTOMATON = 200  # instructions, up to which an automaton counts as small: some 15 usual expressions
SMALL_AUTOMATON_MEMORY = 128 * 1024  # what RE2 needs at least grows with the number of instructions
LARGE_AUTOMATON_MEMORY = MIB
SMALL_AUTOMATA = 64  # remembered, so 8 MiB at most; most Warehouses of a cluster share a few
LARGE_AUTOMATA = 8  # remembered, 8 MiB at most
EXPRESSIONS_REMEMBERED = 1_024  # whether they are right, and how large: 4 MiB at most
CONSTRAINTS_REMEMBERED = 256  # 8 MiB at most: one of 512 characters may take 30 KiB
VERSIONS_REMEMBERED = 512  # 7 MiB at most: one of 256 characters may take 13 KiB
SELECTORS_SHARED = 512  # of tags, by all Warehouses that want the same; 2 MiB at most
SHARED_SELECTOR = 512  # characters of one
READING_EFFORT = 20_000  # of the expressions and constraints of one Warehouse; past it every push refreshes
FORMULA = 2_000  # characters of a generic receiver's expression; usual ones have 200
FORMULA_NODES = 500  # parts of one; reading so many takes some 10 ms
FORMULA_NESTING = 60  # brackets, operands and predicates within others: each takes six frames of Python's stack
FORMULA_HEIGHT = 100  # operators and members one after the other, and all these: each takes three frames
TEMPLATE_EXPRESSIONS = 20  # in one text
CONFIGURATIONS_REMEMBERED = 64  # of generic receivers, and so many of their expressions, as they were read
TEMPLATES_REMEMBERED = 256  # texts with expressions, as they were read
COMPILING_EFFORT = 5_000  # of the regular expressions that stand in one
EVALUATION_EFFORT = 10_000  # of one, for one delivery: the event loop is held for so long
DATA_NESTING = 60  # lists and objects within others that an expression walks through
DECISION_EFFORT = 10_000  # of one Warehouse, for one push: the event loop is held for so long
PROJECT_EFFORT = 100_000  # of all Warehouses of a project, for one delivery
DELIVERY_EFFORT = 500_000  # of all projects, for one delivery
TURN = 0.005  # for which one task computes before other tasks of the event loop get their turn

# What people see
NAME_SHOWN = 512  # characters of a registry, repository, tag or digest
FREE_TEXT = 200  # characters of a sender's free text that are ever shown or stored

# The retry queue
RETRY_DELAYS = (5.0, 30.0, 120.0, 600.0, 3600.0)  # before each further try; the last one repeats
RETRY_JITTER = 0.2  # share by which a delay varies, so that what failed together does not return together
RETRY_AGE = 3 * 24 * 3600.0  # after this a delivery is given up to the poison queue
CLOCK_SKEW = 5.0  # between two machines, and more than any that keep time
RETRY_WAIT = 10.0  # how long one try waits for its refreshes
RETRY_INSURANCE = 45.0  # after which a message is there again whose process was killed; more than a try takes
HERALD_DELAY = 15.0  # between two looks for a cluster that is away, by whoever is called for it
RELEASE_SPREAD = 5.0  # over which what was parked is tried again
QUEUE_RESERVE = 0.5  # of the answer budget, kept for putting a delivery into the queue
QUEUE_GRACE = 0.5  # beyond the answer budget, for a slow queue: a late answer is better than a lost delivery
FALLBACK_RESERVE = 1.0  # of the answer budget, kept for making sure that the cluster is away, and doing without
QUEUE_UNREAD = 300.0  # a message that is due for longer is read by nobody; the trigger looks every few seconds
QUEUE_LOOK_FRESH = 10.0  # a look within this time is not repeated: anybody may ask /readyz
QUEUE_LOOK_TIMEOUT = 1.0  # as long /readyz waits for a look
QUEUE_MESSAGE = 48 * 1024 - 512  # Azure allows 64 KiB, and base64 takes a third of it
ATTEMPTS_SHOWN = 10  # the latest ones

# Searches: whether Kargo has found what was pushed
SEARCH_DELAYS = (5.0, 30.0, 120.0, 300.0)  # before each look that has Kargo discover again what it has not found
SEARCH_LAST = 60.0  # before the look after the last of these, which ends it
SEARCH_PATIENCE = 60.0  # for which Kargo may take to act on a refresh; then it is looked at later, like what is missing
SEARCH_SWEEP = 15.0  # between two looks for what has waited longer
SEARCH_SWEPT = 20  # Warehouses of which one such look begins to search, the longest waiting: Kargo may be away
SEARCH_UNACTED = (
    600.0  # for which no other search of a Warehouse begins that Kargo does not act on: as long as one takes
)
SEARCH_AGE = 3600.0  # after which a search ends, whatever keeps it
SEARCH_PUSHES = 20  # of one delivery; of the others nothing is said
SEARCH_QUALIFIERS = 20  # of one push; with more, nothing is said
SEARCH_EVENT = 1024  # bytes of one push as it is kept
SEARCH_READS = 4  # of Warehouses that are under way at a time
SEARCH_TOLD = 50  # deliveries that told of one push, the latest
SEARCH_DELIVERIES = 500  # of one Warehouse that wait for Kargo at a time, the latest
SEARCH_WAREHOUSES = 10_000  # that are waited for
SEARCH_BYTES = 16 * MIB  # of what is waited for
SEARCH_EFFORT = 5_000  # of the expressions of one Warehouse, for one look
SEARCHES_HELD = 1_000  # that wait in this process where there is no queue

# Azure Storage
STORAGE_TIMEOUT = 5.0  # one call
STORAGE_WARM_UP = 0.3  # after start: first answers are out by then, or wait for a cluster that may be away

# Known receivers
KNOWN_RENEWED = 24 * 3600.0  # how often it is noted that a receiver is in use
KNOWN_DAYS = 30  # after which a receiver that was not used is not known any more
KNOWN_FRESH = 30.0  # while the cluster is away the table is read anew no sooner: another process may have written
KNOWN_RECEIVERS = 10_000  # rows kept in memory, the latest
KNOWN_TEXT = 32_000  # characters of one in its row: a longer text than a table takes fails all that is written with it
KNOWN_BYTES = 16 * MIB
KNOWN_PROJECT = 200  # rows of one project, the latest; those of the cluster itself are its operator's
KNOWN_PAGE = 250  # rows read at once

# URLs that were receivers' until their Secret was rotated or they were deleted
FORMER_DAYS = 30  # for so long a sender that still posts there is told of
FORMER_URLS = 5_000  # kept in memory, the latest
FORMER_READ = 4 * FORMER_URLS  # rows of the table that are read at once, of which the latest are kept
FORMER_SIZE = 2_048  # bytes of one, with two names
FORMER_BYTES = FORMER_URLS * FORMER_SIZE
FORMER_PROJECT = 100  # of one project, and of the cluster itself
FORMER_AGAIN = 60.0  # between two requests to one of them that are recorded; those between are counted
FORMER_LATELY = 3600.0  # a request within this time says that a sender still posts there
FORMER_FRESH = 10.0  # what other instances noted and was read within this time is not read again for a page
FORMER_RELOADED = 60.0  # the same for requests to unknown URLs

# The journal
JOURNAL_INTERVAL = 1.0  # rows are written this often, many at once
JOURNAL_BATCH = 100  # rows in one transaction: Azure's limit
JOURNAL_BATCH_BYTES = MIB  # of the rows that are prepared at once, which holds the event loop
JOURNAL_WAITING = 10_000  # rows kept while the journal is away; then some are dropped, and counted
JOURNAL_WAITING_BYTES = 32 * MIB  # of them; an instance has 512 MiB
JOURNAL_WAITING_AGE = 3 * 24 * 3600.0  # as long as the retry queue tries
DROPS_INTERVAL = 60.0  # between two lines of the log that say how many rows were dropped
DROPS_REMEMBERED = 24 * 3600.0  # how long after the last one it is shown: somebody looks every day
JOURNAL_EVENTS = 30 * 1024  # characters of a delivery's events that are kept for redelivery; a property holds 32 Ki
JOURNAL_ROW = 250_000  # characters of a row as JSON; a table's entity holds 1 MiB, and so does one write of aiohttp
JOURNAL_PAGE = 100  # rows read at once
HOUR_RECEIVERS = 150  # counted by themselves, of one instance and hour; the others of a provider together
HOURS_INTERVAL = 10.0  # between two writes of counts
SEGMENT_ROWS = 1_000  # rows listed in one entity, which holds 1 MiB
SEGMENT_TEXT = 40_000  # characters of their values, after which no further row is listed with them
SEGMENT_ENTRIES = 10_000  # values of all rows together
SEGMENT_VALUE = 500  # characters of one value
SEGMENT_WAREHOUSES = 50  # of one row; one with more is found by any
SEGMENTS_OPEN = 16  # of this process, which its rows' later news go to; 300 KiB each
SEGMENTS_PAGE = 250  # heads read at once
SEGMENTS_AT_ONCE = 16  # segments read at the same time
JOURNAL_AT_ONCE = 25  # rows read at the same time
JOURNAL_LOOKED = 2_500  # rows read for one page, of which the filter may let none pass
JOURNAL_LOOK = 4.0  # time that it may take; then the page says how far it has looked
NEWS_INTERVAL = 1.0  # between two passes over a row of many Warehouses
HOURS_FRESH = 10.0  # counts by the hour that were read within this time are not read again
HOURS_OLD_FRESH = 600.0  # the same of hours that are over, in which little changes
JOURNAL_OPEN = 10_000  # rows that this process still expects news of
JOURNAL_OPEN_BYTES = 16 * MIB  # of them; few are larger than 3,000
JOURNAL_OPEN_AGE = 24 * 3600.0  # since the last news: a cluster may be away for a day
HANDLED = 10_000  # Warehouses whose last handled refresh is remembered: Kargo may act before the row is there
HANDLED_AGE = 600.0  # longer than any delivery takes to be answered
HANDLED_VALUE = 128  # characters of what Kargo handled; ours have 34, others can only be equal
DUPLICATE_WINDOW = 10.0  # the same push again within this time tells nothing new
DUPLICATE_EVENT_WINDOW = 24 * 3600.0  # the same for a sender's own id: Event Grid, the most patient, repeats for a day
DUPLICATES_REMEMBERED = 10_000  # of 400 bytes each

# Between two writes of what was counted; a killed process loses that much. Longer than SAMPLE_INTERVAL, so that in a
# flood a request writes the line that says how many more there were: Azure may not take what is logged beside requests.
REFUSALS_INTERVAL = 75.0
REFUSALS_SHOWN = 24 * 3600.0  # counts are shown, and kept in memory, for so long
REFUSALS_FRESH = 10.0  # counts of other instances that were read within this time are not read again
SAMPLE = 5  # lines a minute of what anybody can cause
SAMPLE_INTERVAL = 60.0
ROW_KEY = 64  # characters of a key that are logged; ours have 24

# Telemetry
TELEMETRY_WAITING = 1_000  # what is noted before the libraries are imported; then the oldest are dropped
TELEMETRY_TIMEOUT = 3.0  # one export, with its repetitions
TELEMETRY_CLOSE = 3.0  # for what was not exported yet, when this process ends
QUEUE_INTERVAL = 60.0  # between two looks at the queues; each is two to four calls of Azure Storage
