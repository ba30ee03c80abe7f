"""The four services of Rapport and their command line."""
