-- What Quarto does for a notebook, in small, where pandoc renders it alone: takes options out of code cells, folds code,
-- makes figures of the pictures that a cell shows.

local function options(text)
  local found, rest = {}, {}
  for line in (text .. "\n"):gmatch("(.-)\n") do
    local key, value = line:match("^#|%s*([%w-]+):%s*(.*)$")
    if key and #rest == 0 then found[key] = value else table.insert(rest, line) end
  end
  return found, table.concat(rest, "\n")
end

-- A value of YAML's as these cells have them: a quoted string, a plain one, or a list of quoted strings in one line.
local function values(text)
  if not text then return {} end
  if text:match("^%[") then
    local list = {}
    for quote, inner in text:gmatch("([\"'])(.-)%1%s*[,%]]") do table.insert(list, inner) end
    return list
  end
  local value = text:gsub('^"(.*)"$', "%1"):gsub("^'(.*)'$", "%1"):gsub('\\"', '"'):gsub("''", "'")
  return {value}
end

local function folded(text, summary)
  local code = pandoc.CodeBlock(text, {class = "python"})
  return {pandoc.RawBlock("html", '<details class="code"><summary>' .. (summary or "Code") .. "</summary>"), code,
    pandoc.RawBlock("html", "</details>")}
end

local function described(output, alt)
  return output:walk({Image = function(picture)
    picture.attributes["fig-alt"] = alt
    return picture
  end})
end

local function cell(div)
  if not (div.classes:includes("cell") and div.classes:includes("code")) then return nil end
  local said, code = options(div.content[1].text)
  local alts, label = values(said["fig-alt"]), values(said.label)[1]
  local blocks = pandoc.Blocks(folded(code, said["code-summary"]))
  for index = 2, #div.content do
    -- One for all, or one for each output, pictures or not, as Quarto counts them.
    local output = described(div.content[index], #alts == 1 and alts[1] or alts[index - 1])
    if label and label:match("^fig%-") and output.classes:includes("display_data") then
      local caption = pandoc.read(values(said["fig-cap"])[1], "markdown-raw_html").blocks
      output = pandoc.Div(output.content .. caption, {id = label})
    end
    blocks:insert(output)
  end
  return pandoc.Div(blocks, {class = "cell"})
end

-- Text that a cell shows as Markdown; no HTML or TeX in it is followed.
local function written(raw)
  local reader = "markdown-raw_html-raw_tex-raw_attribute-tex_math_dollars"
  if raw.format == "markdown" then return pandoc.Div(pandoc.read(raw.text, reader).blocks) end
end

-- The page has its title already.
local function title(header)
  if header.level == 1 then return {} end
end

return {{RawBlock = written}, {Header = title, Div = cell}}
