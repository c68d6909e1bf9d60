namespace Dataplane.Native.Tests;

/// <summary>Counts what this process holds, to find leaks.</summary>
internal static class ProcessResources
{
    public static int DescriptorCount() => Directory.GetFileSystemEntries("/proc/self/fd").Length;

    public static int MappingCount() => File.ReadAllLines("/proc/self/maps").Length;

    /// <summary>The kernel's number of an event descriptor, which no other ever has: descriptors that the runtime opens or closes meanwhile do not matter.</summary>
    public static string EventIdentity(EventDescriptor descriptor) =>
        EventLine($"/proc/self/fdinfo/{descriptor.Descriptor.DangerousGetHandle()}") ?? throw new InvalidOperationException("not an event descriptor");

    /// <summary>Those of all event descriptors of this process.</summary>
    public static string[] EventIdentities() => [.. Directory.GetFileSystemEntries("/proc/self/fdinfo").Select(EventLine).OfType<string>()];

    private static string? EventLine(string path)
    {
        try
        {
            return File.ReadLines(path).FirstOrDefault(line => line.StartsWith("eventfd-id:", StringComparison.Ordinal));
        }
        catch (IOException)
        {
            // Closed since the directory was read.
            return null;
        }
    }
}
