"""Export credit insurance: policies, buyer limits, covered shipments, and the cover that lenders hold."""
