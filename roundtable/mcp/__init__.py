"""Tools for panelists: servers of the Model Context Protocol, by the official SDK, and who may use what of them."""
