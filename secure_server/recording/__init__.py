"""Who did what, told once: to the activity log, and to the audit trail."""
