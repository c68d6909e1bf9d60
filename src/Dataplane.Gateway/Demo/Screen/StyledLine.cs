using System.Text;

namespace Dataplane.Gateway.Demo.Screen;

/// <summary>One line of pieces of text, each in a style.</summary>
internal sealed class StyledLine
{
    private readonly List<(string Text, Style Style)> _pieces = [];

    public static StyledLine Empty { get; } = new();

    /// <summary>Columns taken so far; every character of the demo takes one.</summary>
    public int Width { get; private set; }

    public StyledLine Add(string text, Style style = Style.Plain)
    {
        _pieces.Add((text, style));
        Width += text.Length;
        return this;
    }

    /// <summary>Adds blanks up to a column.</summary>
    public StyledLine To(int column) => column > Width ? Add(new string(' ', column - Width)) : this;

    /// <summary>Adds text that ends just before a column.</summary>
    public StyledLine Right(int column, string text, Style style = Style.Plain) => To(column - text.Length).Add(text, style);

    /// <summary>The line with escape sequences, cut off at a width.</summary>
    public string ToAnsi(int width)
    {
        var line = new StringBuilder();
        foreach ((string text, Style style) in _pieces)
        {
            string shown = text.Length <= width ? text : text[..Math.Max(width, 0)];
            width -= shown.Length;
            line.Append(Code(style)).Append(shown).Append(style == Style.Plain ? "" : "\e[0m");
        }

        return line.ToString();
    }

    /// <summary>The bare text.</summary>
    public override string ToString() => string.Concat(_pieces.Select(piece => piece.Text)).TrimEnd();

    private static string Code(Style style) => style switch
    {
        Style.Dim => "\e[2m",
        Style.Bold => "\e[1m",
        Style.Heading => "\e[1;36m",
        Style.Good => "\e[32m",
        Style.Warn => "\e[33m",
        Style.Bad => "\e[31m",
        Style.Accent => "\e[36m",
        _ => "",
    };
}
