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

    /// <summary>Prints a line at every interval until the timer is disposed.</summary>
    public ITimer Every(TimeSpan interval, Func<string> read)
    {
        int busy = 0;
        return TimeProvider.System.CreateTimer(_ =>
        {
            // A reader that does not keep up gets fewer lines, not a queue of threads.
            if (Interlocked.Exchange(ref busy, 1) != 0)
            {
                return;
            }

            try
            {
                Line(read());
            }
            catch (IOException)
            {
                // Without a descriptor left not even code can be loaded. What forwards shall not end for a line that could not be said.
            }

            Volatile.Write(ref busy, 0);
        }, null, interval, interval);
    }
}
