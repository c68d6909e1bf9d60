using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Dataplane.Benchmarks.Routing;
using Dataplane.Packets;
using Dataplane.Routing.Lpm;

namespace Dataplane.Benchmarks.Peers;

/// <summary>Longest prefix match: 1 M IPv4 and 250 k IPv6 routes, keys drawn inside prefixes, 4 k and 1 M of them.</summary>
internal sealed class LpmPeer : IPeerWork
{
    private const int Batch = 256, Values = 250;

    private readonly GracePeriods _periods = new();
    private readonly uint[][] _keysV4 = new uint[2][];
    private readonly byte[][] _keysV6 = new byte[2][];
    private Ipv4RouteChange[] _routesV4 = [];
    private Ipv4Lpm? _v4;
    private GracePeriods.Reader? _reader;
    private Ipv6RouteChange[] _routesV6 = [];
    private Ipv6Lpm? _v6;

    public IReadOnlyList<string> Cases => ["v4-4k", "v4-1m", "v6-4k", "v6-1m", "v4-load", "v4-update", "v6-update", "v4-churn"];

    public void Make(string path)
    {
        (uint First, byte Length, int Value)[] v4 = InternetRoutes.V4(1, 1_000_000, Values);
        (UInt128 First, byte Length, int Value)[] v6 = InternetRoutes.V6(2, 250_000, Values);
        using var file = new BinaryWriter(File.Create(path));
        Span<byte> bytes = stackalloc byte[16];
        file.Write(v4.Length);
        foreach ((uint first, byte length, int value) in v4)
        {
            file.Write(first);
            file.Write((int)length);
            file.Write(value);
        }

        file.Write(v6.Length);
        foreach ((UInt128 first, byte length, int value) in v6)
        {
            BinaryPrimitives.WriteUInt128BigEndian(bytes, first);
            file.Write(bytes);
            file.Write((int)length);
            file.Write(value);
        }

        foreach (int count in new[] { 4096, 1 << 20 })
        {
            file.Write(count);
            file.Write(MemoryMarshal.AsBytes(InternetRoutes.KeysV4(3, v4, count).AsSpan()));
            foreach (UInt128 key in InternetRoutes.KeysV6(4, v6, count))
            {
                BinaryPrimitives.WriteUInt128BigEndian(bytes, key);
                file.Write(bytes);
            }
        }
    }

    public void Load(string path, TextWriter output)
    {
        using var file = new BinaryReader(File.OpenRead(path));
        _routesV4 = new Ipv4RouteChange[file.ReadInt32()];
        for (int i = 0; i < _routesV4.Length; i++)
        {
            _routesV4[i] = new Ipv4RouteChange(file.ReadUInt32(), (byte)file.ReadInt32(), file.ReadInt32());
        }

        _routesV6 = new Ipv6RouteChange[file.ReadInt32()];
        for (int i = 0; i < _routesV6.Length; i++)
        {
            _routesV6[i] = new Ipv6RouteChange(BinaryPrimitives.ReadUInt128BigEndian(file.ReadBytes(16)), (byte)file.ReadInt32(), file.ReadInt32());
        }

        for (int set = 0; set < 2; set++)
        {
            _keysV4[set] = new uint[file.ReadInt32()];
            file.BaseStream.ReadExactly(MemoryMarshal.AsBytes(_keysV4[set].AsSpan()));
            _keysV6[set] = file.ReadBytes(_keysV4[set].Length * 16);
        }

        _reader = _periods.Register();
        _v4 = new Ipv4Lpm(_periods);
        long start = Stopwatch.GetTimestamp();
        _v4.Apply(_routesV4);
        output.WriteLine($"load v4 ours {Stopwatch.GetElapsedTime(start).TotalSeconds:F4}");
        output.WriteLine($"memory v4 ours {_v4.MemoryBytes}");
        _v6 = new Ipv6Lpm(_periods);
        start = Stopwatch.GetTimestamp();
        _v6.Apply(_routesV6);
        output.WriteLine($"load v6 ours {Stopwatch.GetElapsedTime(start).TotalSeconds:F4}");
        output.WriteLine($"memory v6 ours {_v6.MemoryBytes}");
    }

    public void Dispose()
    {
        _reader?.Dispose();
        _v4?.Dispose();
        _v6?.Dispose();
    }

    public void Round(string name, TextWriter output)
    {
        switch (name)
        {
            case "v4-4k":
                RoundV4(name, _keysV4[0], output);
                break;
            case "v4-1m":
                RoundV4(name, _keysV4[1], output);
                break;
            case "v6-4k":
                RoundV6(name, _keysV6[0], output);
                break;
            case "v6-1m":
                RoundV6(name, _keysV6[1], output);
                break;
            case "v6-update":
                UpdateV6(name, output);
                break;
            case "v4-load":
                using (var table = new Ipv4Lpm(_periods))
                {
                    long start = Stopwatch.GetTimestamp();
                    table.Apply(_routesV4);
                    PeerProgram.Line(output, name, "apply", Stopwatch.GetElapsedTime(start).TotalNanoseconds / _routesV4.Length, 0);
                }

                break;
            case "v4-update":
                Update(name, output);
                break;
            case "v4-churn":
                Churn(name, output);
                break;
        }
    }

    private void RoundV4(string name, uint[] keys, TextWriter output)
    {
        PeerProgram.Report(output, name, "auto", () => Pass(keys, CodePath.Auto), keys.Length);
        PeerProgram.Report(output, name, "scalar", () => Pass(keys, CodePath.Scalar), keys.Length);
    }

    private ulong Pass(uint[] keys, CodePath path)
    {
        Span<int> values = stackalloc int[Batch];
        ulong sum = 0;
        for (int i = 0; i < keys.Length; i += Batch)
        {
            _v4!.Lookup(keys.AsSpan(i, Batch), values, path);
            sum += (uint)values[(i >> 8) & (Batch - 1)];
            _reader!.Pass();
        }

        return sum;
    }

    private void RoundV6(string name, byte[] keys, TextWriter output)
    {
        PeerProgram.Report(output, name, "auto", () => PassV6(keys, CodePath.Auto), keys.Length / 16);
        PeerProgram.Report(output, name, "scalar", () => PassV6(keys, CodePath.Scalar), keys.Length / 16);
    }

    /// <summary>From addresses in network order as the peer has them: turning them into numbers is part of the time.</summary>
    private ulong PassV6(byte[] keys, CodePath path)
    {
        Span<int> values = stackalloc int[Batch];
        Span<ulong> high = stackalloc ulong[Batch], low = stackalloc ulong[Batch];
        ulong sum = 0;
        for (int i = 0; i < keys.Length / 16; i += Batch)
        {
            ToNumbers(keys.AsSpan(i * 16, Batch * 16), high, low);
            _v6!.Lookup(high, low, values, path);
            sum += (uint)values[(i >> 8) & (Batch - 1)];
            _reader!.Pass();
        }

        return sum;
    }

    /// <summary>Four addresses at a time: the eight bytes of each half reversed, upper halves to the front.</summary>
    private static void ToNumbers(ReadOnlySpan<byte> addresses, Span<ulong> high, Span<ulong> low)
    {
        Vector512<byte> order = Vector512.Create((byte)7, 6, 5, 4, 3, 2, 1, 0, 23, 22, 21, 20, 19, 18, 17, 16, 39, 38, 37, 36, 35, 34, 33, 32,
            55, 54, 53, 52, 51, 50, 49, 48, 15, 14, 13, 12, 11, 10, 9, 8, 31, 30, 29, 28, 27, 26, 25, 24, 47, 46, 45, 44, 43, 42, 41, 40,
            63, 62, 61, 60, 59, 58, 57, 56);
        for (int i = 0; i < high.Length; i += 4)
        {
            Vector512<ulong> numbers = Vector512.Shuffle(Vector512.Create(addresses[(i * 16)..]), order).AsUInt64();
            numbers.GetLower().CopyTo(high[i..]);
            numbers.GetUpper().CopyTo(low[i..]);
        }
    }

    private void UpdateV6(string name, TextWriter output)
    {
        _reader!.Suspend();
        int updates = _routesV6.Length / 8;
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < updates; i++)
        {
            Ipv6RouteChange route = _routesV6[(int)((long)i * 7919 % _routesV6.Length)];
            _v6!.Withdraw(route.First, route.Length);
            _v6.Set(route.First, route.Length, route.Value);
        }

        PeerProgram.Line(output, name, "withdraw+set", Stopwatch.GetElapsedTime(start).TotalNanoseconds / updates / 2, 0);
        _reader.Resume();
    }

    private void Update(string name, TextWriter output)
    {
        _reader!.Suspend();
        int updates = _routesV4.Length / 8;
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < updates; i++)
        {
            Ipv4RouteChange route = _routesV4[(int)((long)i * 7919 % _routesV4.Length)];
            _v4!.Withdraw(route.First, route.Length);
            _v4.Set(route.First, route.Length, route.Value);
        }

        PeerProgram.Line(output, name, "withdraw+set", Stopwatch.GetElapsedTime(start).TotalNanoseconds / updates / 2, 0);
        _reader.Resume();
    }

    /// <summary>The same lookups without and with 100,000 changes a second by another thread.</summary>
    private void Churn(string name, TextWriter output)
    {
        uint[] keys = _keysV4[1];
        PeerProgram.Report(output, name, "quiet", () => Pass(keys, CodePath.Auto), keys.Length);
        bool stop = false;
        long changes = 0;
        var writer = new Thread(() =>
        {
            Native.ThreadAffinity.Pin(Native.ThreadAffinity.Allowed()[0] == 0 ? 1 : 0); // run binds the program to one processor.
            long start = Stopwatch.GetTimestamp();
            while (!Volatile.Read(ref stop))
            {
                // In bursts of 100 a millisecond, the rest of which the thread sleeps.
                for (; changes < Stopwatch.GetElapsedTime(start).TotalMilliseconds * 100; changes += 2)
                {
                    Ipv4RouteChange route = _routesV4[(int)(changes * 7919 % _routesV4.Length)];
                    _v4!.Withdraw(route.First, route.Length);
                    _v4.Set(route.First, route.Length, route.Value);
                }

                Thread.Sleep(1);
            }
        });
        writer.Start();
        PeerProgram.Report(output, name, "churned", () => Pass(keys, CodePath.Auto), keys.Length);
        Volatile.Write(ref stop, true);
        writer.Join();
    }
}
