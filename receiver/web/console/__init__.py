"""The console: a responder's pages. `page_routes` lists them, `receiver.web.app` adds them.

Rules: every page works without JavaScript; an action is a POST answered with a redirect; a page's data is read on the
readers' thread; the core decides, through the API's handlers. Imports `api`, `auth` and `http`. Begin with
`incident_page`.
"""
