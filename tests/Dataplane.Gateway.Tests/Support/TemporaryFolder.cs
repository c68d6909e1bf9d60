using Dataplane.Ports;

namespace Dataplane.Gateway.Tests.Support;

/// <summary>A folder that lives as long as a test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dataplane-tests-");

    public string this[string name] => Path.Combine(_folder.FullName, name);

    /// <summary>Writes a text and returns its path.</summary>
    public string Write(string name, string text)
    {
        File.WriteAllText(this[name], text);
        return this[name];
    }

    /// <summary>Writes a capture file, a frame a millisecond, and returns its path.</summary>
    public string WriteCapture(string name, params IEnumerable<byte[]> frames)
    {
        using var writer = CaptureFileWriter.Create(this[name]);
        long timestampNs = 1_700_000_000_000_000_000;
        foreach (byte[] frame in frames)
        {
            writer.Write(timestampNs += 1_000_000, frame);
        }

        return this[name];
    }

    /// <summary>The frames of a capture file.</summary>
    public static List<byte[]> ReadCapture(string path)
    {
        using var reader = CaptureFileReader.Open(path);
        var frames = new List<byte[]>();
        while (reader.Read())
        {
            frames.Add(reader.Current.Bytes.ToArray());
        }

        return frames;
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
