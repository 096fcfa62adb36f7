"""HTTP: Alertmanager's webhook, the API, the console, the providers' callbacks.

`app` has the table of all routes and the order of the middlewares; `alert_webhook` takes alerts. The packages below:
`console` (pages), `callbacks` (providers), `api` (JSON), `auth` (authentication), `http` (bodies and errors); each
imports only later ones. Decisions are made in the engine: an action becomes an event for it. Begin with `app`.
"""
