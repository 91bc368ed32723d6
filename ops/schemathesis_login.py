"""Logs in for schemathesis, and again before the access token ends: a long run outlives many of them."""

import json
import os
import urllib.request

import schemathesis

# Half of an access token's life.
RENEW_AFTER_SECONDS = 300


@schemathesis.auth(refresh_interval=RENEW_AFTER_SECONDS)
class Administrator:
    def get(self, case, context):
        url = os.environ["SIGNALBOX_URL"]
        login = {"username": "admin", "password": os.environ["SIGNALBOX_ADMIN_PASSWORD"]}
        request = urllib.request.Request(
            f"{url}/v1/auth/login", json.dumps(login).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            token = json.load(answer)["access_token"]
        # With a token that does not work every answer would be a correct 401.
        request = urllib.request.Request(f"{url}/v1/me", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=10):
            return token

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"
