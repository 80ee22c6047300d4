"""Deadlines that each service keeps: dates by rule and calendar, computed anew when a calendar's year is published."""
