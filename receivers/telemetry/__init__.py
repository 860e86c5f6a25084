"""Figures, spans and counts for who operates this service. Nothing here delays or fails a delivery."""
