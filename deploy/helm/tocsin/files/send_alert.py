"""What `helm test` runs: Tocsin is ready, and takes an alert under the token that Alertmanager shows.

The alert is resolved and no incident is about it, so that nobody is paged.
By hand: `python send_alert.py URL TOKENFILE`.
"""

import json
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path

ALERT = {
    "status": "resolved",
    "labels": {"alertname": "TocsinHelmTest", "severity": "informational"},
    "annotations": {},
    "startsAt": "2024-01-01T00:00:00Z",
    "endsAt": "2024-01-01T00:01:00Z",
    "generatorURL": "",
    "fingerprint": "746f6373696e7465",
}
BODY = {
    "version": "4",
    "groupKey": '{}:{helm_test="true"}',
    "truncatedAlerts": 0,
    "status": "resolved",
    "receiver": "tocsin",
    "groupLabels": {},
    "commonLabels": ALERT["labels"],
    "commonAnnotations": {},
    "externalURL": "",
    "alerts": [ALERT],
}


def ask(url: str, body: bytes | None = None, token: str = "") -> None:
    """Ask Tocsin; ends the test with words where the answer is not 200. Its certificate names it from outside."""
    context = ssl._create_unverified_context() if url.startswith("https:") else None
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, body, headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(request, timeout=20) as answer:
            print(f"{url}: {answer.status}")
    except urllib.error.HTTPError as error:
        sys.exit(f"{url}: {error.code} {error.read(2000).decode(errors='replace')}")
    except OSError as error:
        sys.exit(f"{url}: cannot be reached ({error})")


base, token_file = sys.argv[1:]
ask(f"{base}/-/ready")
ask(f"{base}/webhook/alertmanager", json.dumps(BODY).encode(), Path(token_file).read_text().strip())
print("an alert got through")
