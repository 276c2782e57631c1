"""The process that holds a model for Tidemill's data plane."""
