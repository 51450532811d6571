-- What Quarto does for the article, in small, where pandoc renders it alone: numbers figures and tables, resolves
-- @fig- and @tbl- references, titles callouts, gives pictures their alt text.

local names = {fig = "Figure", tbl = "Table"}
local counts, labels = {fig = 0, tbl = 0}, {}

local function number(id, kind)
  if labels[id] then error("two blocks are called " .. id) end
  counts[kind] = counts[kind] + 1
  labels[id] = names[kind] .. "\u{a0}" .. counts[kind]
  return labels[id]
end

-- The last paragraph is the caption, as in Quarto.
local function caption(div, kind)
  local last = div.content:remove()
  if not last or last.t ~= "Para" then error(div.identifier .. " has no caption as its last paragraph") end
  local lead = pandoc.Span(number(div.identifier, kind) .. ": ", {class = "number"})
  return {long = {pandoc.Plain(pandoc.Inlines({lead}) .. last.content)}}
end

local function callout(div)
  local title = div.attributes.title
  if title then div.content:insert(1, pandoc.Div(pandoc.Plain(title), {class = "title"})) end
  div.attributes.title = nil
  return div
end

local function block(div)
  if div.classes:find_if(function(class) return class:match("^callout") end) then return callout(div) end
  local kind = div.identifier:match("^(%l+)%-")
  if kind == "fig" then
    local long = caption(div, kind)
    div.attributes.layout, div.attributes["layout-ncol"] = nil, nil
    return pandoc.Figure(div.content, long, div.attr)
  elseif kind == "tbl" then
    local long = caption(div, kind)
    div.content[1].caption = long
    return div
  end
end

local function image(picture)
  local alt = picture.attributes["fig-alt"]
  if not alt then error(picture.src .. " has no alt text") end
  picture.caption, picture.attributes["fig-alt"] = pandoc.Inlines(alt), nil
  return picture
end

local function reference(cite)
  -- What is neither figure nor table is literature, and the citation processor's.
  if not cite.citations[1].id:match("^fig%-") and not cite.citations[1].id:match("^tbl%-") then return nil end
  return pandoc.Inlines(cite.citations:map(function(citation)
    local label = labels[citation.id]
    if not label then error("the reference @" .. citation.id .. " leads nowhere") end
    return pandoc.Link(label, "#" .. citation.id)
  end))
end

-- Three passes: every block has its number before the first reference asks for it, whichever comes first.
return {{Image = image}, {traverse = "topdown", Div = block}, {Cite = reference}}
