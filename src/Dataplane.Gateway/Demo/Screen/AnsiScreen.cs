using System.Text;

namespace Dataplane.Gateway.Demo.Screen;

/// <summary>A terminal: the board is redrawn in place, on the terminal's second screen, and left on the first one at the end.</summary>
internal sealed class AnsiScreen(TextWriter terminal) : IDemoScreen
{
    private const int MostColumns = 100;

    private bool _isEntered;

    private static int Width => Math.Min(Console.WindowWidth > 0 ? Console.WindowWidth : MostColumns, MostColumns);

    private static int Height => Console.WindowHeight > 0 ? Console.WindowHeight : 30;

    public void Progress(string text) => terminal.WriteLine(new StyledLine().Add("  · ", Style.Accent).Add(text, Style.Dim).ToAnsi(Width));

    public void Show(DemoBoard board)
    {
        var frame = new StringBuilder();
        if (!_isEntered)
        {
            _isEntered = true;
            frame.Append("\e[?1049h\e[?25l\e[2J");
        }

        // Home, and erase what is behind each line rather than the whole screen: no flicker.
        frame.Append("\e[H");
        string[] lines = [.. board.Lines().Take(Height - 1).Select(line => line.ToAnsi(Width))];
        frame.AppendJoin("\e[K\n", lines).Append("\e[K\n\e[J");
        terminal.Write(frame);
        terminal.Flush();
    }

    public void Leave(DemoBoard? last)
    {
        Dispose();
        foreach (StyledLine line in last?.Lines() ?? [])
        {
            terminal.WriteLine(line.ToAnsi(Width));
        }

        terminal.Flush();
    }

    public void Dispose()
    {
        if (_isEntered)
        {
            _isEntered = false;
            terminal.Write("\e[?25h\e[?1049l");
            terminal.Flush();
        }
    }
}
