using Dataplane.Native;
using Dataplane.Packets;

namespace Dataplane.Ports;

/// <summary>Opens ports over capture files: the kind <c>pcap</c> of the configuration.</summary>
public sealed class PcapPortFactory : IPortFactory
{
    private readonly string _inputPath;
    private readonly string _outputPath;

    /// <summary>Makes a factory; opens nothing yet.</summary>
    /// <param name="inputPath">Capture file to receive from (pcap or pcapng); empty: nothing is received.</param>
    /// <param name="outputPath">Capture file to write (pcap), which is begun again; empty: what is sent is counted only.</param>
    public PcapPortFactory(string inputPath = "", string outputPath = "")
    {
        ArgumentNullException.ThrowIfNull(inputPath);
        ArgumentNullException.ThrowIfNull(outputPath);
        _inputPath = inputPath;
        _outputPath = outputPath;
    }

    /// <summary>What to add to the monotonic clock that a worker runs on to get nanoseconds since 1970.</summary>
    public static long SystemTimeOffsetNs => ((TimeProvider.System.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks * 100) - MonotonicClock.NowNs;

    /// <inheritdoc/>
    public string Kind => "pcap";

    /// <summary>Hardware address; null: one derived from the port's name.</summary>
    public MacAddress? Mac { get; init; }

    /// <summary>Largest layer 3 packet in bytes, 68 to 65,535.</summary>
    public int Mtu { get; init; } = 1500;

    /// <summary>See <see cref="PcapPort.OutputTimeOffsetNs"/>.</summary>
    public long OutputTimeOffsetNs { get; init; }

    /// <summary>Opens the files.</summary>
    /// <param name="name">The port's name in the configuration.</param>
    /// <exception cref="IOException">A file cannot be opened, or the input is no capture file (<see cref="CaptureFormatException"/>).</exception>
    public PcapPort Open(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (_inputPath.Length > 0 && _outputPath.Length > 0 && Path.GetFullPath(_inputPath) == Path.GetFullPath(_outputPath))
            throw new IOException($"Port '{name}': input and output are the same file, '{_inputPath}', which would be emptied before it is read; name another output.");
        CaptureFileReader? input = null;
        CaptureFileWriter? output = null;
        try
        {
            input = _inputPath.Length > 0 ? CaptureFileReader.Open(_inputPath) : null;
            output = _outputPath.Length > 0 ? CaptureFileWriter.Create(_outputPath) : null;
            return new PcapPort(input, output, Mac ?? DerivedMac.FromName(name), Mtu) { OutputTimeOffsetNs = OutputTimeOffsetNs };
        }
        catch (Exception exception)
        {
            input?.Dispose();
            output?.Dispose();
            if (exception is UnauthorizedAccessException)
                throw new IOException($"Port '{name}': {exception.Message} Give this process access, or name another file.", exception);
            throw;
        }
    }

    IPort IPortFactory.Open(string name) => Open(name);
}
