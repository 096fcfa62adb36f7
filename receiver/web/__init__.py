"""HTTP: Alertmanager's webhook, the API, the console, the providers' callbacks.

`app` is the table of all routes and the order in which a request is looked at; `alert_webhook` takes alerts. Below
stand the rooms: `console` (pages), `callbacks` (providers), `api` (JSON), `auth` (who is asking), `http` (bodies and
errors). Each imports only those below it. Nothing is decided here: what people do becomes an event for the engine.
Begin with `app`.
"""
