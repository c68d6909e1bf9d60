using System.Collections;

namespace Dataplane.Tests.Configuration;

/// <summary>Compares specifications by value: records compare their lists by reference.</summary>
internal static class SpecAssert
{
    public static void Equal(object? expected, object? actual, string path = "spec")
    {
        if (expected is null || actual is null)
        {
            Assert.True(expected is null && actual is null, $"{path}: {expected ?? "null"} became {actual ?? "null"}");
        }
        else if (expected is IList left && actual is IList right)
        {
            Assert.True(left.Count == right.Count, $"{path}: {left.Count} elements became {right.Count}");
            for (int i = 0; i < left.Count; i++)
            {
                Equal(left[i], right[i], $"{path}[{i}]");
            }
        }
        else if (expected.GetType().Name.EndsWith("Spec", StringComparison.Ordinal))
        {
            foreach (System.Reflection.PropertyInfo property in expected.GetType().GetProperties())
            {
                Equal(property.GetValue(expected), property.GetValue(actual), $"{path}.{property.Name}");
            }
        }
        else
        {
            Assert.True(expected.Equals(actual), $"{path}: {expected} became {actual}");
        }
    }
}
