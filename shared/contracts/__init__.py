"""The data of the events, one module a topic. Import them from `shared.events`."""
