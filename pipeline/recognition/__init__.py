"""Who a face is. Pure."""
