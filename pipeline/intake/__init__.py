"""From the inbox into the vault: watch, settle, take."""
