namespace Dataplane.Gateway.Commands;

/// <summary>Prints whole lines from any thread, each at once, so that who reads them through a pipe need not wait.</summary>
internal sealed class LinePrinter(TextWriter writer)
{
    private readonly Lock _printing = new();

    public void Line(string line)
    {
        lock (_printing)
        {
            writer.WriteLine(line);
            writer.Flush();
        }
    }

    /// <summary>Prints several lines with nothing in between.</summary>
    public void Lines(IEnumerable<string> lines)
    {
        lock (_printing)
        {
            foreach (string line in lines)
            {
                writer.WriteLine(line);
            }

            writer.Flush();
        }
    }
}
