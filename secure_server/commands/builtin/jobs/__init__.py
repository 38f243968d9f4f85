"""JOB …, JOBS, DETACH: runs that outlive their connection, started, seen, followed and told to stop."""
