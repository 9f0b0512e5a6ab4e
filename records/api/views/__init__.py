"""The API's views, a module for each resource."""
