namespace Dataplane.Gateway.Demo.Screen;

/// <summary>No terminal, or none that is to be coloured: one line for every event and every other second.</summary>
internal sealed class PlainScreen(TextWriter output) : IDemoScreen
{
    private int _events;
    private TimeSpan _next = TimeSpan.FromSeconds(1);

    public void Progress(string text) => Line(text);

    public void Show(DemoBoard board)
    {
        foreach (DemoEvent happened in board.Events.Skip(_events))
        {
            Line(happened.ToString());
        }

        _events = board.Events.Count;
        if (board.Elapsed >= _next)
        {
            _next = board.Elapsed + TimeSpan.FromSeconds(2);
            Line(board.ToString());
        }
    }

    public void Leave(DemoBoard? last)
    {
        if (last is not null)
        {
            Show(last);
            foreach (StyledLine line in last.Lines())
            {
                Line(line.ToString());
            }
        }
    }

    public void Dispose()
    {
    }

    private void Line(string text)
    {
        output.WriteLine(text);
        output.Flush();
    }
}
