"""Measurements and findings (FHIR R4 Observation): read, written, gathered into series, drawn. No Django."""
