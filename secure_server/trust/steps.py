"""What a person does by hand where no program of ours runs: other systems, and phones."""

from __future__ import annotations

from secure_server.i18n import N_

STEPS: tuple[tuple[str, str], ...] = (
    (
        "macOS",
        'security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db "{path}"',
    ),
    (
        "Windows",
        'certutil -addstore -user Root "{path}"',
    ),
    (
        "iOS, iPadOS",
        N_(
            "Send {path} to the device (AirDrop, or as a file) and open it. Install it: Settings, General, VPN & "
            "Device Management. Then trust it: Settings, General, About, Certificate Trust Settings. Without that "
            "second step Safari shows the page, and refuses its connection."
        ),
    ),
    (
        "Android",
        N_(
            "Copy {path} to the device. Install it: Settings, Security, Encryption & credentials, Install a "
            "certificate, CA certificate. Chrome goes by it; Firefox does once `Use third party CA certificates` is "
            "on, in its secret settings."
        ),
    ),
    (
        "Firefox",
        N_("Settings, Privacy & Security, View Certificates, Authorities, Import: {path}, to identify websites."),
    ),
)
"""The system, and what to do there; `{path}` is the CA's file. Commands are the same in each language."""
