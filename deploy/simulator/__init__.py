"""A made-up district: people, towns, units and what goes wrong between them. Every name and number is invented."""
