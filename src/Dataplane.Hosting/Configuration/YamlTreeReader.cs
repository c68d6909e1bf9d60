using Dataplane.Configuration;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Dataplane.Hosting.Configuration;

/// <summary>Makes a configuration tree from YAML, by the parser's events: no value is guessed, and every node knows its place.</summary>
internal sealed partial class YamlTreeReader
{
    private const int MaxDepth = 32;

    private readonly Parser _parser;
    private readonly string _text;
    private readonly string _file;
    private readonly List<ConfigurationError> _errors;
    private readonly Func<string, KnownElements?>? _known;

    /// <summary>The last line in which something was written that has been read.</summary>
    private int _lastLine;

    /// <summary>Where the brackets stand that are open, for the error when one is never closed.</summary>
    private readonly Stack<(char Bracket, Mark Start)> _open = new();
    private Mark _last = Mark.Empty;
    private int _depth;

    private YamlTreeReader(string text, string file, List<ConfigurationError> errors, bool takesAliases, Func<string, KnownElements?>? known)
    {
        _known = known;
        _parser = new Parser(new Scanner(new StringReader(text), skipComments: true));
        _text = text;
        _file = file;
        _errors = errors;
        _takesAliases = takesAliases;
    }

    /// <summary>Reads a text of one document.</summary>
    /// <param name="text">The text.</param>
    /// <param name="file">What it is called in errors.</param>
    /// <param name="errors">Takes what is wrong.</param>
    /// <param name="takesAliases">Whether anchors, aliases and merged mappings (<c>&lt;&lt;</c>) are understood; otherwise they are errors.</param>
    /// <param name="known">The elements that a text in quotes stands for; null, also as an answer, for none.</param>
    /// <returns>The tree; an empty mapping for an empty text; null when the text is no YAML, with the error in the list.</returns>
    public static ConfigNode? Read(string text, string file, List<ConfigurationError> errors, bool takesAliases = false, Func<string, KnownElements?>? known = null)
    {
        if (text.StartsWith('\uFEFF'))
        {
            text = text[1..];
        }

        // The parser takes a zero for the end of the text, and would pass over everything behind it.
        int zero = text.IndexOf('\0', StringComparison.Ordinal);
        if (zero >= 0)
        {
            (int line, int column) = SyntaxErrors.PlaceOf(text, zero);
            errors.Add(new ConfigurationError("", "is not text: it holds a zero character here") { File = file, Line = line, Column = column });
            return null;
        }

        var reader = new YamlTreeReader(text, file, errors, takesAliases, known);
        try
        {
            return reader.ReadStream();
        }
        catch (YamlException exception)
        {
            errors.Add(SyntaxErrors.Explain(text, file, exception.Message, exception.Start, reader._open));
            return null;
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            // The parser fails in several ways of its own on texts that end inside brackets.
            errors.Add(SyntaxErrors.Explain(text, file, "", reader._last, reader._open));
            return null;
        }
    }

    private ConfigNode ReadStream()
    {
        ConfigNode? root = null;
        while (_parser.MoveNext())
        {
            ParsingEvent current = _parser.Current!;
            if (current is not (NodeEvent or AnchorAlias))
            {
                continue;
            }

            if (root is not null)
            {
                _errors.Add(Error("", "begins a second document; a configuration is one", current.Start));
                break;
            }

            root = ReadNode("");
        }

        return root ?? ConfigNode.Mapping([], _file, 1, 1);
    }

    /// <summary>Reads the node whose first event is the current one, and leaves its last event current.</summary>
    private ConfigNode ReadNode(string path)
    {
        ParsingEvent start = _parser.Current!;

        // The parser knows no place for the mapping that a "key:" inside [ ] is, and gives the start of the text: its first key has one.
        bool isUnplaced = _depth > 0 && start is MappingStart && start.Start.Index <= _last.Index;
        _last = isUnplaced ? _last : start.Start;
        if (start is AnchorAlias known && _takesAliases)
        {
            return Resolve(known, path);
        }

        if (start is AnchorAlias alias)
        {
            _errors.Add(Error(path, $"is an alias (*{alias.Value}), which configurations do not take; write the value out", start.Start));
        }
        else if (start is NodeEvent node)
        {
            CheckPlain(node, path);
        }

        // Recursion goes as deep as the text does, so the text may not go too deep.
        if (++_depth > MaxDepth)
        {
            throw TooDeep();
        }

        Measure before = Begin();
        ConfigNode read = start switch
        {
            SequenceStart sequence => ReadSequence(sequence, path),
            MappingStart mapping => ReadMapping(mapping, path, isUnplaced),
            Scalar scalar => ReadScalar(scalar),
            _ => ConfigNode.Scalar("", isQuoted: false, _file, Line(start), Column(start)),
        };
        End(start, read, before);
        _depth--;
        return read;
    }

    private ConfigNode ReadSequence(SequenceStart start, string path)
    {
        bool isFlow = Opened(start.Style == SequenceStyle.Flow, '[', start.Start);
        var items = new List<ConfigNode>();
        while (Next() is not SequenceEnd)
        {
            items.Add(ReadElement($"{path}[{items.Count}]"));
        }

        Closed(isFlow);
        return ConfigNode.Sequence(items, _file, Line(start), Column(start), _lastLine);
    }

    private ConfigNode ReadElement(string path) =>
        _known is not null && _parser.Current is Scalar { Style: ScalarStyle.DoubleQuoted } scalar && _known(scalar.Value) is { } known
            ? ConfigNode.Of(known, _file, Line(scalar)) : ReadNode(path);

    private ConfigNode ReadMapping(MappingStart start, string path, bool isUnplaced)
    {
        bool isFlow = Opened(start.Style == MappingStyle.Flow && !isUnplaced, '{', start.Start);
        var entries = new List<ConfigEntry>();
        while (NextKey(isFlow, entries.Count) is { } first and not MappingEnd)
        {
            ConfigNode key = ReadNode(path);
            Next();
            ConfigNode value = ReadNode(path.Length == 0 ? key.Text : $"{path}.{key.Text}");
            if (key.Kind == ConfigNodeKind.Scalar)
            {
                entries.Add(new ConfigEntry(key.Text, value) { Line = key.Line, Column = key.Column });
            }
            else
            {
                _errors.Add(Error(path, "has a key that is a list or a mapping; a key is a text", first.Start));
            }
        }

        Closed(isFlow);
        entries = Merged(entries, path);
        return isUnplaced && entries.Count > 0
            ? ConfigNode.Mapping(entries, _file, entries[0].Line, entries[0].Column, _lastLine)
            : ConfigNode.Mapping(entries, _file, Line(start), Column(start), _lastLine);
    }

    private ConfigNode ReadScalar(Scalar scalar)
    {
        _lastLine = Math.Max(_lastLine, (int)scalar.End.Line);
        return ConfigNode.Scalar(scalar.Value, scalar.Style is not (ScalarStyle.Plain or ScalarStyle.Any), _file, Line(scalar), Column(scalar));
    }

    private void CheckPlain(NodeEvent node, string path)
    {
        if (!node.Anchor.IsEmpty && !_takesAliases)
        {
            _errors.Add(Error(path, $"has an anchor (&{node.Anchor}), which configurations do not take; leave it out", node.Start));
        }

        if (!node.Tag.IsEmpty && node.Tag.Value != "?")
        {
            _errors.Add(Error(path, $"has a tag ({node.Tag.Value}), which configurations do not take; put a value that begins with '!' in quotes", node.Start));
        }
    }

    private ParsingEvent Next() => _parser.MoveNext() ? _parser.Current! : throw new YamlException(_last, _last, "the text ends too early");

    /// <summary>The first event of the next key, or the end of the mapping. The parser itself takes <c>{ a: {} b: {} }</c> for two keys.</summary>
    private ParsingEvent NextKey(bool isFlow, int index)
    {
        int from = (int)_parser.Current!.End.Index;
        ParsingEvent next = Next();
        if (isFlow && index > 0 && next is not MappingEnd && !HasComma(from, (int)next.Start.Index))
        {
            _errors.Add(Error("", "is not valid YAML: a comma is missing before this", next.Start));
        }

        return next;
    }

    private bool HasComma(int from, int to)
    {
        bool isComment = false;
        foreach (char character in _text.AsSpan(from, Math.Max(0, to - from)))
        {
            isComment = character == '#' || (isComment && character != '\n');
            if (character == ',' && !isComment)
            {
                return true;
            }
        }

        return false;
    }

    private bool Opened(bool isFlow, char bracket, in Mark start)
    {
        if (isFlow)
        {
            _open.Push((bracket, start));
        }

        return isFlow;
    }

    private void Closed(bool isFlow)
    {
        if (isFlow)
        {
            _open.Pop();
            _lastLine = Math.Max(_lastLine, (int)_parser.Current!.End.Line);
        }
    }

    private ConfigurationError Error(string path, string message, in Mark at) =>
        new(path, message) { File = _file, Line = (int)at.Line, Column = (int)at.Column };

    private static int Line(ParsingEvent at) => (int)at.Start.Line;

    private static int Column(ParsingEvent at) => (int)at.Start.Column;
}
