"""What is kept of jobs on disk: records and output, within bounds."""
