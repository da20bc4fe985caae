"""Where in a CT series a finding comes from."""

M007 = """
ALTER TABLE findings ADD COLUMN places TEXT CHECK (places IS NULL OR json_valid(places));
"""
