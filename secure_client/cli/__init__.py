"""The program `secure-client`: its options, and the subcommands for profiles and enrolment."""
