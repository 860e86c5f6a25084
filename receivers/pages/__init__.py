"""The pages: what became of each delivery, the receivers, the queues. Server-rendered; the same as JSON.

:mod:`receivers.pages.site` answers requests. It is imported when a page is asked for first, because nobody who delivers
needs it.
"""

# First segments of the pages' paths.
SECTIONS = ("overview", "deliveries", "warehouses", "receivers", "queue", "refusals", "explain", "docs", "pages")
