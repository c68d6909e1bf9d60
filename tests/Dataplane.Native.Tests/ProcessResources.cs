namespace Dataplane.Native.Tests;

/// <summary>Counts what this process holds, to find leaks.</summary>
internal static class ProcessResources
{
    public static int DescriptorCount() => Directory.GetFileSystemEntries("/proc/self/fd").Length;

    public static int MappingCount() => File.ReadAllLines("/proc/self/maps").Length;
}
