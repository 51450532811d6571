-- A column is as wide as what is in it: a long line in the source would make all equally wide, or as wide as their dashes.
function Table(found)
  found.colspecs = found.colspecs:map(function(spec) return {spec[1]} end)
  return found
end
