"""Who watches a job, and how it is told."""
