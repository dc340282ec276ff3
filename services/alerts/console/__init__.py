"""The console of the command centre: pages that show warnings as they come and do what has to be done about them."""
