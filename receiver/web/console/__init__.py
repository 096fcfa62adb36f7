"""The console: the pages that a responder works with. `page_routes` lists them, `receiver.web.app` adds them.

Rules: every page is whole without JavaScript; what a person does is posted and answered with a redirect; whatever
a page shows was read on the readers' thread; nothing is decided here, the core is asked through the API's handlers.
Imports `api`, `auth` and `http`. Begin with `incident_page`.
"""
